/** Reads messages off the wire. What is missing or of a wrong kind gets its empty value. */

import type { Message, MessageStatus, Role, Timing, ToolCall, WireError } from "./types";

type Fields = Readonly<Record<string, unknown>>;

const ROLES: readonly string[] = ["user", "assistant", "system"] satisfies Role[];
const STATUSES: readonly string[] = [
  "queued",
  "streaming",
  "done",
  "stopped",
  "failed",
] satisfies MessageStatus[];

const EMPTY: Omit<Message, "id" | "role"> = {
  text: "",
  parent_id: null,
  status: "done",
  reasoning: "",
  tools: [],
  finish_reason: null,
  usage: null,
  timing: null,
  error: null,
  feedback: null,
  attachments: [],
  citations: [],
  created_at: 0,
  tokens: 0,
};

export const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isText = (value: unknown): value is string => typeof value === "string";
const isCount = (value: unknown): value is number => Number.isFinite(value);

const orNull =
  <T>(is: (value: unknown) => value is T) =>
  (value: unknown): value is T | null =>
    value === null || is(value);

const listOf =
  <T>(is: (value: unknown) => value is T) =>
  (value: unknown): value is readonly T[] =>
    Array.isArray(value) && value.every(is);

const isTool = (value: unknown): value is ToolCall =>
  isFields(value) &&
  isText(value.call_id) &&
  isText(value.name) &&
  isText(value.arguments) &&
  orNull(isText)(value.result) &&
  isText(value.status);

const isError = (value: unknown): value is WireError =>
  isFields(value) && isText(value.kind) && isText(value.message);

const isTiming = (value: unknown): value is Timing => isFields(value);

/** What each field that may change must be. `id` and `role` never do. */
const FIELDS: { readonly [K in keyof typeof EMPTY]: (value: unknown) => boolean } = {
  text: isText,
  parent_id: orNull(isText),
  status: (value) => isText(value) && STATUSES.includes(value),
  reasoning: isText,
  tools: listOf(isTool),
  finish_reason: orNull(isText),
  usage: orNull(isFields),
  timing: orNull(isTiming),
  error: orNull(isError),
  feedback: orNull(isText),
  attachments: listOf(isFields),
  citations: listOf(isFields),
  created_at: isCount,
  tokens: isCount,
};

/** The fields of `changes` that a message has, where they are of the right kind. */
export function readChanges(changes: unknown): Partial<Message> {
  if (!isFields(changes)) return {};
  const known = Object.entries(FIELDS).filter(([name, is]) => name in changes && is(changes[name]));
  return Object.fromEntries(known.map(([name]) => [name, changes[name]]));
}

/** The message, or null for what is none. */
export function readMessage(value: unknown): Message | null {
  if (!isFields(value)) return null;
  const { id, role } = value;
  if (!isText(id) || !isText(role) || !ROLES.includes(role)) return null;
  return { ...EMPTY, ...readChanges(value), id, role: role as Role };
}
