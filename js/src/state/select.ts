/** Questions to a state. */

import type { ChatState, Message } from "./types";

/** The messages shown, first to last: from the top down to the leaf. */
export function path(state: ChatState): Message[] {
  const found: Message[] = [];
  const seen = new Set<string>();
  let id = state.leafId;
  while (id !== null && !seen.has(id)) {
    seen.add(id);
    const message = state.messages.get(id);
    if (message === undefined) break;
    found.push(message);
    id = message.parent_id;
  }
  return found.reverse();
}

/** The branches that begin where message `id` stands, itself among them, oldest first. */
export function siblings(state: ChatState, id: string): Message[] {
  const message = state.messages.get(id);
  if (message === undefined) return [];
  // A prompt that waits hangs nowhere yet, though its parent reads null.
  if (message.status === "queued") return [message];
  return [...state.messages.values()].filter(
    (other) => other.parent_id === message.parent_id && other.status !== "queued",
  );
}

/** The prompts that wait, next first. */
export function queued(state: ChatState): Message[] {
  return [...state.messages.values()].filter((message) => message.status === "queued");
}

/** The answer that is being written, null while none is. */
export function runningMessage(state: ChatState): Message | null {
  const leaf = state.leafId === null ? undefined : state.messages.get(state.leafId);
  if (leaf?.status === "streaming") return leaf;
  for (const message of state.messages.values()) {
    if (message.status === "streaming") return message;
  }
  return null;
}

/** Whether the leaf is a message that this view never loaded, so that nothing could be shown. */
export function isAstray(state: ChatState): boolean {
  return state.leafId !== null && !state.messages.has(state.leafId);
}
