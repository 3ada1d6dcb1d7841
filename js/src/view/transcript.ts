/**
 * The notebook keeps a talk in an output of its own, below the widget. Where a view shows the talk,
 * that output is hidden.
 */

import type { Chat } from "../state/types";

const NAME = /^kernelchat-transcript-[0-9a-f]{16}$/;

/**
 * Hides the outputs of that class once the kernel was heard: before, there is nothing in the view,
 * and in a saved notebook there never will be. Returns what shows them again.
 */
export function hideTranscript(name: unknown, chat: Chat): () => void {
  if (typeof name !== "string" || !NAME.test(name)) return () => {};
  const style = document.createElement("style");
  style.textContent = `.${name} { display: none; }`;
  const hide = () => {
    if (chat.connection().phase !== "open") return;
    unsubscribe();
    document.head.append(style);
  };
  const unsubscribe = chat.subscribe(hide);
  hide();
  return () => {
    unsubscribe();
    style.remove();
  };
}
