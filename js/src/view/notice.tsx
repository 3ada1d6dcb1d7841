/** One sentence above the composer: why a command was refused, or what the kernel wants known. */

import { useState } from "preact/hooks";
import type { ChatState } from "../state/types";
import { useShared } from "./context";

export function Notice({ state, sentence }: { state: ChatState; sentence: string }) {
  const { tell, words } = useShared();
  const [seen, setSeen] = useState(0);
  const newest = state.notices.at(-1);
  const notice = newest && newest.id > seen ? newest : undefined;
  const text = sentence || notice?.text;
  if (!text) return null;
  const dismiss = () => {
    if (sentence) tell("");
    else setSeen(notice?.id ?? 0);
  };
  return (
    <div
      class="kernelchat-notice"
      data-level={sentence ? "error" : notice?.level}
      role={sentence ? "alert" : "note"}
    >
      <span>{text}</span>
      <button type="button" aria-label={words.dismiss} onClick={dismiss}>
        ×
      </button>
    </div>
  );
}
