/**
 * The fold: what a conversation is after its events. Pure, and exactly once: an event at or below
 * the cursor has been folded in already, by whichever road it came first.
 */

import { isFields, readChanges, readMessage } from "./message";
import type { ChatState, Message, Notice, TalkStatus, ToolCall, WireEvent } from "./types";

/** Notices are for who looks now; the oldest go. */
const NOTICES = 50;

const STATUSES: readonly string[] = [
  "idle",
  "thinking",
  "writing",
  "retrying",
  "closed",
] satisfies TalkStatus[];

export const EMPTY_STATE: ChatState = {
  cursor: null,
  messages: new Map(),
  leafId: null,
  status: "idle",
  retryAt: null,
  hasMore: false,
  notices: [],
};

type Data = WireEvent["data"];
type Fold = (draft: Draft, data: Data, id: number) => void;

/** A state that is being made: the map is copied once for a batch, and only if it changes. */
interface Draft extends Omit<ChatState, "messages"> {
  cursor: number | null;
  messages: ReadonlyMap<string, Message>;
  leafId: string | null;
  status: TalkStatus;
  retryAt: number | null;
  hasMore: boolean;
  notices: readonly Notice[];
  /** `messages`, once it is ours to change. */
  own: Map<string, Message> | null;
}

function writable(draft: Draft): Map<string, Message> {
  if (draft.own === null) {
    draft.own = new Map(draft.messages);
    draft.messages = draft.own;
  }
  return draft.own;
}

function change(draft: Draft, id: unknown, changes: (message: Message) => Partial<Message>): void {
  const message = typeof id === "string" ? draft.messages.get(id) : undefined;
  // A message that this view never loaded: a snapshot holds the last hundred.
  if (message === undefined) return;
  writable(draft).set(message.id, { ...message, ...changes(message) });
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");

const readStatus = (value: unknown): TalkStatus | null =>
  typeof value === "string" && STATUSES.includes(value) ? (value as TalkStatus) : null;

const FOLDS: Readonly<Record<string, Fold>> = {
  snapshot(draft, data, id) {
    const list = Array.isArray(data.messages) ? data.messages : [];
    const read = list.map(readMessage).filter((message) => message !== null);
    draft.own = new Map(read.map((message) => [message.id, message]));
    draft.messages = draft.own;
    draft.leafId = typeof data.leaf_id === "string" ? data.leaf_id : null;
    draft.status = readStatus(data.status) ?? "idle";
    draft.retryAt = typeof data.retry_at === "number" ? data.retry_at : null;
    draft.hasMore = data.has_more === true;
    draft.cursor = id;
  },

  message(draft, data) {
    const message = readMessage(data.message);
    if (message !== null) writable(draft).set(message.id, message);
  },

  update(draft, data) {
    change(draft, data.message_id, () => readChanges(data.changes));
  },

  token(draft, data) {
    const index = data.index;
    if (typeof index !== "number") return;
    change(draft, data.message_id, (message) =>
      index < message.tokens ? {} : { text: message.text + text(data.text), tokens: index + 1 },
    );
  },

  reasoning(draft, data) {
    change(draft, data.message_id, (message) => ({
      reasoning: message.reasoning + text(data.text),
    }));
  },

  tool(draft, data) {
    const call: ToolCall = {
      call_id: text(data.call_id),
      name: text(data.name),
      arguments: text(data.arguments),
      result: typeof data.result === "string" ? data.result : null,
      status: text(data.status),
    };
    change(draft, data.message_id, ({ tools }) => {
      const known = tools.some((tool) => tool.call_id === call.call_id);
      return {
        tools: known
          ? tools.map((tool) => (tool.call_id === call.call_id ? call : tool))
          : [...tools, call],
      };
    });
  },

  done(draft, data) {
    change(draft, data.message_id, (message) => ({
      text: typeof data.fullText === "string" ? data.fullText : message.text,
      status: data.finish_reason === "stopped" ? "stopped" : "done",
      error: null,
      ...readChanges({
        finish_reason: data.finish_reason,
        usage: data.usage,
        timing: data.timing,
      }),
    }));
  },

  error(draft, data) {
    change(draft, data.message_id, () => ({
      status: "failed",
      error: {
        kind: text(data.kind),
        message: text(data.message),
        retryable: data.retryable === true,
      },
    }));
  },

  leaf(draft, data) {
    draft.leafId = typeof data.leaf_id === "string" ? data.leaf_id : null;
  },

  removed(draft, data) {
    if (!Array.isArray(data.message_ids)) return;
    for (const id of data.message_ids) writable(draft).delete(id);
  },

  status(draft, data) {
    draft.status = readStatus(data.status) ?? draft.status;
    draft.retryAt = typeof data.retry_at === "number" ? data.retry_at : null;
  },

  notice(draft, data, id) {
    const level = data.level === "info" || data.level === "error" ? data.level : "warning";
    const notice: Notice = { id, level, kind: text(data.kind), text: text(data.text) };
    draft.notices = [...draft.notices, notice].slice(-NOTICES);
  },
};

/** The id of an event that is in the log; null for `connected` and for what is malformed. */
export function eventId(event: WireEvent): number | null {
  const id = isFields(event.data) ? event.data.id : undefined;
  return typeof id === "number" && Number.isSafeInteger(id) ? id : null;
}

/**
 * Folds a batch. Unknown events only move the cursor. Returns the same object where nothing
 * changed, so that who draws can tell.
 */
export function reduceAll(state: ChatState, events: readonly WireEvent[]): ChatState {
  const draft: Draft = { ...state, own: null };
  for (const event of events) {
    const id = eventId(event);
    if (id === null || (draft.cursor !== null && id <= draft.cursor)) continue;
    if (Object.hasOwn(FOLDS, event.event)) FOLDS[event.event]?.(draft, event.data, id);
    draft.cursor = id;
  }
  if (draft.cursor === state.cursor) return state;
  const { own: _, ...next } = draft;
  return next;
}

/** Folds one event. */
export function reduce(state: ChatState, event: WireEvent): ChatState {
  return reduceAll(state, [event]);
}

/**
 * Puts earlier messages above those that are there. A message that is there already is the newer
 * one: it has seen the events since.
 */
export function withEarlier(
  state: ChatState,
  messages: readonly unknown[],
  hasMore: boolean,
): ChatState {
  const earlier = messages.map(readMessage).filter((message) => message !== null);
  const merged = new Map(earlier.map((message) => [message.id, message]));
  for (const [id, message] of state.messages) {
    // Deleted first: a key keeps its old place in a map, and what was there stands below.
    merged.delete(id);
    merged.set(id, message);
  }
  return { ...state, messages: merged, hasMore };
}
