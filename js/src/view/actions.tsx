/** What can be done with one answer. */

import { useEffect, useState } from "preact/hooks";
import { visibleText } from "../markdown/invisible";
import type { Message } from "../state/types";
import { copyText } from "./clipboard";
import { COPIED } from "./content";
import { useShared } from "./context";

interface ActionsProps {
  readonly message: Message;
  readonly branches: readonly string[];
  readonly last: boolean;
}

export function Actions({ message, branches, last }: ActionsProps) {
  const { run, words } = useShared();
  if (message.role !== "assistant") return null;
  return (
    <div class="kernelchat-actions" data-last={last}>
      {message.text && <Copy text={message.text} />}
      {message.status !== "failed" && (
        <button type="button" onClick={() => run({ type: "regenerate", message_id: message.id })}>
          {words.regenerate}
        </button>
      )}
      {branches.length > 1 && <Branches id={message.id} branches={branches} />}
    </div>
  );
}

function Copy({ text }: { text: string }) {
  const { tell, words } = useShared();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return undefined;
    const timer = setTimeout(() => setCopied(false), COPIED);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = () =>
    copyText(visibleText(text)).then(
      () => setCopied(true),
      () => tell(words.copyFailed),
    );
  return (
    <button type="button" onClick={copy}>
      {copied ? words.copied : words.copy}
    </button>
  );
}

function Branches({ id, branches }: { id: string; branches: readonly string[] }) {
  const { run, words } = useShared();
  const index = branches.indexOf(id);
  const step = (label: string, sign: string, to: string | undefined) => (
    <button
      type="button"
      aria-label={label}
      disabled={to === undefined}
      onClick={() => to !== undefined && run({ type: "select", message_id: to })}
    >
      {sign}
    </button>
  );
  return (
    <span class="kernelchat-branches">
      {step(words.previousBranch, "‹", branches[index - 1])}
      <span>
        {index + 1}/{branches.length}
      </span>
      {step(words.nextBranch, "›", branches[index + 1])}
    </span>
  );
}
