/** One bubble: the question, or the answer with what belongs to it. */

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { visibleText } from "../markdown/invisible";
import type { Message } from "../state/types";
import { Actions, Branches } from "./actions";
import { Answer } from "./answer";
import { onContentClick } from "./content";
import { useShared } from "./context";
import { Failure } from "./failure";

export interface MessageProps {
  readonly message: Message;
  /** Ids of the branches that begin here, this one among them. */
  readonly branches: readonly string[];
  readonly last: boolean;
}

export function MessageView(props: MessageProps) {
  return props.message.role === "user" ? <Question {...props} /> : <AnswerView {...props} />;
}

function Question({ message, branches }: MessageProps) {
  const { edit, options, words } = useShared();
  const avatar = options.user_avatar || (options.theme === "classic" ? words.userAvatar : "");
  return (
    <article
      class="kernelchat-message"
      aria-label={words.you}
      data-message-id={message.id}
      data-role="user"
      data-status={message.status}
    >
      <div class="kernelchat-bubble kernelchat-content">{visibleText(message.text)}</div>
      {avatar && <Avatar text={avatar} />}
      <div class="kernelchat-actions">
        {options.input && (
          <button type="button" onClick={() => edit(message)}>
            {words.editQuestion}
          </button>
        )}
        <Branches id={message.id} branches={branches} />
      </div>
    </article>
  );
}

function AnswerView({ message, branches, last }: MessageProps) {
  const { options, words } = useShared();
  const [settled, setSettled] = useState(message.status !== "streaming");
  // Until all text is on the page the answer is not done for whoever reads it.
  const status = settled || message.status === "streaming" ? message.status : "streaming";
  const waiting = message.status === "streaming" && message.text === "";
  useEffect(() => {
    if (message.status === "streaming") setSettled(false);
  }, [message.status]);
  return (
    <article
      class="kernelchat-message"
      aria-label={message.role === "system" ? words.system : words.assistant}
      data-message-id={message.id}
      data-role={message.role}
      data-status={status}
    >
      <Avatar text={options.avatar || words.avatar} />
      <div class="kernelchat-body">
        {message.reasoning && (
          <details class="kernelchat-reasoning">
            <summary>{words.thought}</summary>
            <div>{visibleText(message.reasoning)}</div>
          </details>
        )}
        {waiting && <Dots />}
        <AnswerText message={message} onSettled={() => setSettled(true)} />
        <Ending message={message} status={status} />
        {status !== "streaming" && <Actions message={message} branches={branches} last={last} />}
      </div>
    </article>
  );
}

/** preact owns the element, `Answer` what is in it. */
function AnswerText({ message, onSettled }: { message: Message; onSettled(): void }) {
  const shared = useShared();
  const root = useRef<HTMLDivElement>(null);
  const answer = useRef<Answer | undefined>(undefined);
  const { words, options } = shared;
  useLayoutEffect(() => {
    if (!root.current) return undefined;
    const { speed, cursor } = options;
    const made = new Answer(root.current, { labels: words, speed, cursor, onSettled });
    answer.current = made;
    return () => made.dispose();
  }, [words, options.speed, options.cursor]);
  useLayoutEffect(() => answer.current?.update(message.text, message.status));
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the buttons inside are what is pressed.
    // biome-ignore lint/a11y/useKeyWithClickEvents: a button's click comes from the keyboard too.
    <div class="kernelchat-content" ref={root} onClick={(event) => onContentClick(event, shared)} />
  );
}

/** How the answer ended, where it did not end by itself. */
function Ending({ message, status }: { message: Message; status: Message["status"] }) {
  const { words } = useShared();
  if (status === "failed") return <Failure message={message} />;
  if (status === "stopped") return <span class="kernelchat-tag">{words.stopped}</span>;
  if (status !== "done") return null;
  if (message.finish_reason === "length") {
    return <span class="kernelchat-tag">{words.cutOff}</span>;
  }
  if (message.finish_reason === "content_filter") {
    return <span class="kernelchat-tag">{words.filtered}</span>;
  }
  return null;
}

function Dots() {
  return (
    <div class="kernelchat-dots" aria-hidden="true">
      <i />
      <i />
      <i />
    </div>
  );
}

function Avatar({ text }: { text: string }) {
  return (
    <span class="kernelchat-avatar" aria-hidden="true">
      {text}
    </span>
  );
}
