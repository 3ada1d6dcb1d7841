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
      <Branches id={message.id} branches={branches} />
      {message.text && <Thumbs message={message} />}
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

function Thumbs({ message }: { message: Message }) {
  const { run, words } = useShared();
  const thumb = (value: "up" | "down", label: string) => {
    const given = message.feedback === value;
    return (
      <button
        type="button"
        class="kernelchat-thumb"
        aria-label={label}
        aria-pressed={given}
        title={label}
        onClick={() =>
          run({ type: "feedback", message_id: message.id, value: given ? null : value })
        }
      >
        <svg viewBox="0 0 16 16" aria-hidden="true" data-value={value}>
          <path d="M2.5 7.5v6h2.2v-6zM4.7 7.5 7.6 2c1 0 1.7.7 1.6 1.8L9 6.2h3.4c.9 0 1.5.8 1.3 1.7l-1 4.4c-.2.7-.7 1.2-1.4 1.2H4.7" />
        </svg>
      </button>
    );
  };
  return (
    <span class="kernelchat-thumbs">
      {thumb("up", words.good)}
      {thumb("down", words.bad)}
    </span>
  );
}

/** Nothing where there is but one version. */
export function Branches({ id, branches }: { id: string; branches: readonly string[] }) {
  const { run, words } = useShared();
  if (branches.length < 2) return null;
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
