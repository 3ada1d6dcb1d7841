/** A proven way to the kernel over HTTP: what can be asked of it, with its token out of sight. */

import { isFields } from "../state/message";
import type { CommandRequest, Transport, WireEvent } from "../state/types";
import { isRefused, Unreachable } from "./errors";
import { ACCEPT, type Fetch, failure, readSse } from "./sse";

/** Milliseconds. A cell may keep the interpreter to itself for seconds; then the comm is as good. */
const ANSWER_MS = 10_000;

export type Command = CommandRequest & { readonly command_id: string };

export interface Receipt {
  readonly command_id: string;
  /** The last event's id once the command was done. */
  readonly event_id: number;
}

export interface Earlier {
  readonly messages: readonly unknown[];
  readonly has_more: boolean;
}

export interface KeptRequest {
  readonly action: "list" | "new" | "show" | "rename" | "delete";
  readonly session_id?: string;
  readonly title?: string;
  /** Which chat turns, where several show the conversation; "" on a page. */
  readonly widget_id: string;
}

/** What the kernel answers to such a request. */
export type KeptAnswer = Readonly<Record<string, unknown>>;

/** By session; null asks for a snapshot. */
export type Cursors = Readonly<Record<string, number | null>>;

export interface Road {
  readonly transport: Exclude<Transport, "comm">;
  readonly instance: string;
  command(sessionId: string, command: Command): Promise<Receipt>;
  events(
    cursors: Cursors,
    views: readonly string[],
    signal: AbortSignal,
  ): AsyncGenerator<WireEvent[], void>;
  earlier(sessionId: string, before: string): Promise<Earlier>;
  kept(sessionId: string, request: KeptRequest): Promise<KeptAnswer>;
}

export interface RoadOptions {
  readonly fetch: Fetch;
  /** Without a slash at its end; "" is the page's own origin. */
  readonly base: string;
  readonly transport: Road["transport"];
  readonly token: string;
  readonly instance: string;
}

/**
 * The kernel says `connected` at once. What takes longer waits behind this browser's six connections
 * to an origin, which other tabs hold: the comm serves the view meanwhile.
 */
const OPENING_MS = 5_000;

/** What every request to the kernel has: no cookie but a proxy's, no cache, no word of the page. */
export function requestInit(transport: Road["transport"]): RequestInit {
  return {
    cache: "no-store",
    credentials: transport === "proxy" ? "same-origin" : "omit",
    referrerPolicy: "no-referrer",
    // A redirect would be a login page's, and must not see the token.
    redirect: "error",
  };
}

/** The token stays in this closure: a hub hangs on the page's global, where any script can look. */
export function makeRoad({ fetch, base, transport, token, instance }: RoadOptions): Road {
  // Jupyter reads Authorization itself, so through its proxy the token goes by another name.
  const auth: Record<string, string> =
    transport === "proxy" ? { "X-Kernelchat-Token": token } : { Authorization: `Bearer ${token}` };

  const get = (accept: string): RequestInit => ({
    ...requestInit(transport),
    headers: { ...auth, Accept: accept },
  });
  const post = (accept: string, body: unknown): RequestInit => ({
    ...requestInit(transport),
    method: "POST",
    headers: { ...auth, Accept: accept, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const session = (sessionId: string) => `${base}/api/sessions/${encodeURIComponent(sessionId)}`;

  return {
    transport,
    instance,

    async command(sessionId, command) {
      const url = `${session(sessionId)}/commands`;
      const answer = await ask(fetch, url, post("application/json", command));
      return {
        command_id: command.command_id,
        event_id: typeof answer.event_id === "number" ? answer.event_id : 0,
      };
    },

    async *events(cursors, views, signal) {
      const init = post(ACCEPT, { cursors, views });
      const url = `${base}/api/events`;
      for await (const batch of readSse({ fetch, url, init, signal, opening: OPENING_MS })) {
        yield batch.map(({ event, data }) => ({ event: event ?? "message", data: parse(data) }));
      }
    },

    async earlier(sessionId, before) {
      const url = `${session(sessionId)}/messages?before=${encodeURIComponent(before)}`;
      const answer = await ask(fetch, url, get("application/json"));
      return {
        messages: Array.isArray(answer.messages) ? answer.messages : [],
        has_more: answer.has_more === true,
      };
    },

    kept(sessionId, request) {
      const json = "application/json";
      const init = request.action === "list" ? get(json) : post(json, request);
      return ask(fetch, `${session(sessionId)}/kept`, init);
    },
  };
}

/** The data of an event. Throws `Unreachable` for what no kernel of ours sends. */
export function parse(data: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(data);
    if (isFields(value)) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new Unreachable("The stream holds what is no event.");
}

/** One question, one JSON answer. Throws `Refused` or `Unreachable`. */
export async function ask(
  fetch: Fetch,
  url: string,
  init: RequestInit,
): Promise<Readonly<Record<string, unknown>>> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), ANSWER_MS);
  try {
    const response = await fetch(url, { ...init, signal: late.signal });
    if (!response.ok) throw await failure(response);
    const body: unknown = await response.json();
    if (isFields(body)) return body;
  } catch (error) {
    if (isRefused(error)) throw error;
    throw new Unreachable(`The kernel did not answer: ${String(error)}`);
  } finally {
    clearTimeout(timer);
  }
  throw new Unreachable("Not the kernel's answer.");
}
