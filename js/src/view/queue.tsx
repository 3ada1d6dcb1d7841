/** Questions that wait for the running answer. */

import { visibleText } from "../markdown/invisible";
import type { Message } from "../state/types";
import { useShared } from "./context";

interface QueueProps {
  readonly messages: readonly Message[];
  /** The one whose text is in the composer. */
  readonly editing: string | undefined;
}

export function Queue({ messages, editing }: QueueProps) {
  const { edit, run, words } = useShared();
  if (messages.length === 0) return null;
  return (
    <ul class="kernelchat-queue">
      {messages.map((message) => (
        <li
          key={message.id}
          data-message-id={message.id}
          data-role="user"
          data-status="queued"
          data-editing={message.id === editing}
        >
          <span class="kernelchat-queue-label">{words.next}</span>
          <span class="kernelchat-content">{visibleText(message.text)}</span>
          <button type="button" onClick={() => edit(message)}>
            {words.edit}
          </button>
          <button
            type="button"
            onClick={() => run({ type: "queue_remove", message_id: message.id })}
          >
            {words.remove}
          </button>
        </li>
      ))}
    </ul>
  );
}
