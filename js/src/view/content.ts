/** Clicks on what the Markdown put into an answer: copying code, loading an image. */

import { loadedImage } from "../markdown/decorate";
import { visibleText } from "../markdown/invisible";
import { copyText } from "./clipboard";
import type { ViewContext } from "./context";

/** Milliseconds for which a button says that it copied. */
export const COPIED = 1500;

export function onContentClick(event: MouseEvent, { words, tell }: ViewContext): void {
  const target = event.target instanceof Element ? event.target : undefined;
  const box = target?.closest(".kernelchat-image-box");
  if (box) box.replaceWith(loadedImage(box));
  const button = target?.closest(".kernelchat-code-copy");
  const code = button?.closest(".kernelchat-code")?.querySelector("code");
  if (!button || !code) return;
  copyText(visibleText(code.textContent ?? "").replace(/\n$/, "")).then(
    () => {
      button.textContent = words.copied;
      setTimeout(() => {
        button.textContent = words.copy;
      }, COPIED);
    },
    () => tell(words.copyFailed),
  );
}
