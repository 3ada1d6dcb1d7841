/** The list of messages, which follows its end. */

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { path } from "../state/select";
import type { ChatState, Message } from "../state/types";
import { useShared } from "./context";
import { Empty } from "./empty";
import { type Follower, followEnd } from "./follow";
import { MessageView } from "./message";

export function Log({ state }: { state: ChatState }) {
  const { words } = useShared();
  const scroller = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const follower = useRef<Follower | undefined>(undefined);
  const [following, setFollowing] = useState(true);
  const shown = path(state);
  const children = childrenOf(state);

  useLayoutEffect(() => {
    if (!scroller.current || !list.current) return undefined;
    const made = followEnd(scroller.current, list.current, setFollowing);
    follower.current = made;
    made.follow();
    return () => made.dispose();
  }, []);
  // Whoever asks wants to see the answer.
  const asked = shown.filter(({ role }) => role === "user").at(-1)?.id;
  useLayoutEffect(() => follower.current?.follow(), [asked]);
  useLayoutEffect(() => follower.current?.changed());
  useStablePosition(scroller, shown[0]?.id);

  return (
    <div class="kernelchat-main">
      <div
        class="kernelchat-log"
        role="log"
        aria-live="off"
        aria-label={words.messages}
        // It scrolls: the keyboard must reach it.
        // biome-ignore lint/a11y/noNoninteractiveTabindex: see above.
        tabIndex={0}
        ref={scroller}
      >
        <div class="kernelchat-list" ref={list}>
          {state.hasMore && <Earlier />}
          {shown.length === 0 && <Empty />}
          {shown.map((message, index) => (
            <Row
              key={message.id}
              message={message}
              branches={children.get(message.parent_id) ?? []}
              last={index === shown.length - 1}
            />
          ))}
        </div>
      </div>
      {!following && (
        <button type="button" class="kernelchat-latest" onClick={() => follower.current?.follow()}>
          ↓ {words.latest}
        </button>
      )}
    </div>
  );
}

interface RowProps {
  readonly message: Message;
  readonly branches: readonly string[];
  readonly last: boolean;
}

/** Draws again only when its own message changed: the others' nodes are not even compared. */
function Row({ message, branches, last }: RowProps) {
  const shared = useShared();
  return useMemo(
    () => <MessageView message={message} branches={branches} last={last} />,
    [shared, message, branches.join(" "), last],
  );
}

/** The ids below each message, oldest first: one pass for all rows, since each token asks. */
function childrenOf(state: ChatState): Map<string | null, string[]> {
  const children = new Map<string | null, string[]>();
  for (const { id, parent_id, status } of state.messages.values()) {
    if (status === "queued") continue;
    const known = children.get(parent_id);
    if (known) known.push(id);
    else children.set(parent_id, [id]);
  }
  return children;
}

function Earlier() {
  const { chat, tell, words } = useShared();
  const [busy, setBusy] = useState(false);
  const load = () => {
    setBusy(true);
    chat
      .loadEarlier()
      .catch((error: unknown) => tell((error as Error)?.message || words.refused))
      .finally(() => setBusy(false));
  };
  return (
    <button type="button" class="kernelchat-earlier" disabled={busy} onClick={load}>
      {words.earlier}
    </button>
  );
}

/** Earlier messages appear above: what is being read stays where it is. */
function useStablePosition(
  scroller: { readonly current: HTMLElement | null },
  first: string | undefined,
): void {
  const before = useRef({ first, height: 0 });
  useLayoutEffect(() => {
    const element = scroller.current;
    const { height } = before.current;
    if (element && before.current.first !== first && height > 0 && element.scrollTop < height) {
      element.scrollTop += element.scrollHeight - height;
    }
  }, [first]);
  useEffect(() => {
    before.current = { first, height: scroller.current?.scrollHeight ?? 0 };
  });
}
