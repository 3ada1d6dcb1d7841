/** What the header, the status line and `data-phase` say about a conversation. */

import { path } from "../state/select";
import type { ChatState, Connection, Message } from "../state/types";

export type Phase =
  | "connecting"
  | "lost"
  | "gone"
  | "closed"
  | "ready"
  | "thinking"
  | "retrying"
  | "writing"
  | "done"
  | "stopped"
  | "failed";

export type HeaderState = "disconnected" | "connected" | "responding" | "error";

export function phaseOf(state: ChatState, connection: Connection): Phase {
  if (connection.phase !== "open") return connection.phase;
  if (state.status !== "idle") return state.status;
  const status = lastAnswer(state)?.status;
  return status === "done" || status === "stopped" || status === "failed" ? status : "ready";
}

export function headerState(state: ChatState, connection: Connection): HeaderState {
  if (connection.phase === "lost") return "error";
  if (connection.phase !== "open" || state.status === "closed") return "disconnected";
  if (isResponding(state)) return "responding";
  return lastAnswer(state)?.status === "failed" ? "error" : "connected";
}

export function isResponding({ status }: ChatState): boolean {
  return status === "thinking" || status === "writing" || status === "retrying";
}

export function lastAnswer(state: ChatState): Message | undefined {
  return path(state)
    .reverse()
    .find(({ role }) => role === "assistant");
}
