/** Reads Server-Sent Events off a fetch: unlike EventSource it may POST, carry a token and be ended. */

import { createParser, type EventSourceMessage } from "eventsource-parser";
import { readError, Unreachable } from "./errors";

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface SseRequest {
  readonly fetch: Fetch;
  readonly url: string;
  readonly init: RequestInit;
  /** Ends the stream; the iteration then throws the signal's reason. */
  readonly signal: AbortSignal;
  /** Milliseconds without a byte after which the connection counts as dead. */
  readonly silence?: number;
  /** The same for the first byte; as long as `silence` if not given. */
  readonly opening?: number;
}

/** The kernel sends a comment each 10 s, so three are lost by then. */
export const SILENCE_MS = 35_000;

/** A proxy counts as streaming only for exactly this, without `*`/`*` behind it. */
export const ACCEPT = "text/event-stream";

/** The error in an answer that is not what was asked for. */
export async function failure(response: Response): Promise<Error> {
  const { status } = response;
  const body = await response.json().catch(() => null);
  // A 5xx may be a proxy's word for a port where nobody listens any more.
  const refused = status >= 400 && status < 500 ? readError(body, status) : null;
  return refused ?? new Unreachable(`Not the kernel's answer: HTTP ${status}.`);
}

/**
 * Yields the events as they arrive, those of one network chunk together.
 *
 * Ends where the stream ends, and at once for a 204.
 * Throws `Refused` for the kernel's own error, `Unreachable` for a broken or silent connection and
 * for an answer that is no event stream, the signal's reason once that is aborted.
 */
export async function* readSse(request: SseRequest): AsyncGenerator<EventSourceMessage[], void> {
  const { fetch, url, init, signal, silence = SILENCE_MS, opening = silence } = request;
  const own = new AbortController();
  const giveUp = () => own.abort(new Unreachable("The connection fell silent.", true));
  let watchdog = setTimeout(giveUp, opening);
  const heard = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(giveUp, silence);
  };
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.any([signal, own.signal]) });
    if (response.status === 204) return;
    const type = response.headers.get("content-type") ?? "";
    if (!response.ok || !type.startsWith(ACCEPT) || response.body === null) {
      throw await failure(response);
    }
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    let batch: EventSourceMessage[] = [];
    const parser = createParser({ onEvent: (event) => batch.push(event) });
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      parser.feed(decoder.decode(value, { stream: true }));
      if (batch.length === 0) continue;
      yield batch;
      batch = [];
    }
  } catch (error) {
    throw reasonOf(error, signal, own.signal);
  } finally {
    clearTimeout(watchdog);
    // Whoever stops reading early wants the connection closed: a browser has six per origin.
    own.abort();
  }
}

/** Why it failed: an abort shows as whatever the browser makes of it, the rest is the network. */
function reasonOf(error: unknown, asked: AbortSignal, own: AbortSignal): unknown {
  if (asked.aborted) return asked.reason;
  if (own.aborted) return own.reason;
  if (error instanceof TypeError) return new Unreachable(`The connection broke: ${error.message}`);
  return error;
}
