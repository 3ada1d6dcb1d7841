/** The line under the composer: phase and pace to the left, the road to the kernel to the right. */

import { useRef } from "preact/hooks";
import type { ChatState, Connection } from "../state/types";
import { useShared } from "./context";
import { Pace } from "./pace";
import { lastAnswer, type Phase } from "./phase";

interface StatusProps {
  readonly state: ChatState;
  readonly connection: Connection;
  readonly phase: Phase;
}

export function StatusLine({ state, connection, phase }: StatusProps) {
  const { words } = useShared();
  const pace = useRef(new Pace());
  const timing = pace.current.read(lastAnswer(state), performance.now());
  const { first_token_ms: first, tokens_per_second: rate } = timing;
  const offline = connection.phase === "gone" || phase === "closed";
  const details = {
    direct: words.directDetail,
    proxy: words.proxyDetail,
    comm: words.commDetail,
  };
  return (
    <div class="kernelchat-status">
      <span class="kernelchat-phase">{words[phase]}</span>
      {connection.waiting && <span class="kernelchat-waiting">{words.waiting}</span>}
      {typeof first === "number" && (
        <span class="kernelchat-pace">
          {words.firstToken((first / 1000).toFixed(first < 100 ? 2 : 1))}
        </span>
      )}
      {typeof rate === "number" && (
        <span class="kernelchat-pace">{words.rate(rate.toFixed(rate < 10 ? 1 : 0))}</span>
      )}
      {!offline && (
        <span
          class="kernelchat-road"
          data-state={connection.phase}
          title={details[connection.transport]}
        >
          {words[connection.transport]}
        </span>
      )}
    </div>
  );
}
