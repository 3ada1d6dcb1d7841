/** A failed turn, where its answer would be. */

import type { Message } from "../state/types";
import { useShared } from "./context";

export function Failure({ message }: { message: Message }) {
  const { run, words } = useShared();
  return (
    <div class="kernelchat-error" role="alert">
      <span>{message.error?.message || words.error}</span>
      <button
        type="button"
        class="kernelchat-retry"
        onClick={() => run({ type: "regenerate", message_id: message.id })}
      >
        {words.retry}
      </button>
    </div>
  );
}
