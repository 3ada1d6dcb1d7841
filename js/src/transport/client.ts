/**
 * A client for pages of one's own: asks a chat over `POST /api/chat/stream`, one question after the
 * other, and hands out the answer token by token. Give it what `chat.endpoint` says in Python.
 */

import type { EventSourceMessage } from "eventsource-parser";
import { isRefused, isUnreachable, Refused, Unreachable } from "./errors";
import { ask, parse, requestInit } from "./http";
import { randomId } from "./probe";
import { ACCEPT, type Fetch, readSse } from "./sse";
import { backoff, pause, report } from "./timing";

/** What the client does: nothing, waiting for the first token, or receiving. */
export type ClientStatus = "idle" | "connecting" | "thinking" | "writing" | "failed";

export interface ClientToken {
  readonly text: string;
  /** All of the answer so far. */
  readonly fullText: string;
  readonly message_id: string | null;
}

export interface ClientError {
  readonly kind: string;
  readonly message: string;
  /** What had come of the answer. */
  readonly text: string;
}

export interface ClientOptions {
  /** The chat's address, as `chat.endpoint.url` has it. */
  readonly url: string;
  /** `chat.endpoint.token`. */
  readonly token: string;
  /** Left out, the client begins a talk of its own. */
  readonly sessionId?: string;
  onToken?(token: ClientToken): void;
  onDone?(fullText: string): void;
  onError?(error: ClientError): void;
  onStatus?(status: ClientStatus): void;
  /** For tests and for hosts with a fetch of their own. */
  readonly fetch?: Fetch;
}

/** A question, from when it is asked until its answer is there. */
interface Question {
  readonly text: string;
  commandId: string;
  lastEventId: string | null;
  answerId: string | null;
  received: string;
  /** The connection broke in the middle: the same turn is to be continued. */
  broken: boolean;
  readonly abort: AbortController;
  resolve(fullText: string): void;
  reject(error: Error): void;
}

/** Tries in a row without a word from the kernel. */
const PATIENCE = 4;

/** Why a question got no whole answer. `text` is what had come. */
export class ChatClientError extends Error implements ClientError {
  override readonly name = "ChatClientError";
  readonly kind: string;
  readonly text: string;

  constructor(kind: string, message: string, text: string) {
    super(message);
    this.kind = kind;
    this.text = text;
  }
}

export class ChatClient {
  readonly sessionId: string;
  readonly #options: ClientOptions;
  readonly #fetch: Fetch;
  readonly #base: string;
  readonly #queue: Question[] = [];
  #running: Question | null = null;
  #failed: Question | null = null;
  #status: ClientStatus = "idle";

  constructor(options: ClientOptions) {
    this.#options = options;
    this.sessionId = options.sessionId ?? randomId();
    this.#fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
    // Both the server's address and that of the endpoint itself will do.
    this.#base = options.url.replace(/\/+$/, "").replace(/\/api\/chat\/stream$/, "");
  }

  /** Questions that wait for those before them. */
  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Asks. Resolves with the whole answer; rejects with a `ChatClientError`, kind `cancelled` after
   * `abort()`. Questions are asked one at a time, in the order of the calls.
   */
  send(text: string): Promise<string> {
    return this.#enqueue(text, (question) => this.#queue.push(question));
  }

  /** Ends the answer that is being written, here and in the kernel; the next question follows. */
  abort(): void {
    const question = this.#running;
    if (question === null || question.abort.signal.aborted) return;
    question.abort.abort();
  }

  /**
   * Asks the question that failed again, before those that wait. If only the connection broke it is
   * the same turn that goes on: the model is not asked twice.
   */
  retry(): Promise<string> {
    const failed = this.#failed;
    if (failed === null) {
      return Promise.reject(new ChatClientError("input", "There is nothing to retry.", ""));
    }
    this.#failed = null;
    return this.#enqueue(failed.text, (question) => {
      if (failed.broken) {
        const { commandId, lastEventId, answerId, received } = failed;
        Object.assign(question, { commandId, lastEventId, answerId, received });
      }
      this.#queue.unshift(question);
    });
  }

  #enqueue(text: string, place: (question: Question) => void): Promise<string> {
    return new Promise((resolve, reject) => {
      place({
        text,
        commandId: randomId(),
        lastEventId: null,
        answerId: null,
        received: "",
        broken: false,
        abort: new AbortController(),
        resolve,
        reject,
      });
      void this.#next();
    });
  }

  async #next(): Promise<void> {
    if (this.#running !== null) return;
    const question = this.#queue.shift();
    if (question === undefined) return;
    this.#running = question;
    try {
      await this.#answer(question);
      this.#tell("idle", () => this.#options.onDone?.(question.received));
      question.resolve(question.received);
    } catch (error) {
      await this.#ended(question, error);
    } finally {
      this.#running = null;
      void this.#next().catch(report);
    }
  }

  async #ended(question: Question, error: unknown): Promise<void> {
    if (question.abort.signal.aborted) {
      this.#tell("idle");
      question.reject(new ChatClientError("cancelled", "The answer was ended.", question.received));
      // The next question waits for this, or it would come to a talk that is still answering.
      await this.#stop(question);
      return;
    }
    this.#failed = question;
    const failure = describe(error, question);
    this.#tell("failed", () => this.#options.onError?.(failure));
    question.reject(failure);
  }

  /** Calls the page's hooks; what they throw is theirs, and no reason to lose the answer. */
  #tell(status: ClientStatus, hook?: () => void): void {
    const changed = this.#status !== status;
    this.#status = status;
    try {
      if (changed) this.#options.onStatus?.(status);
      hook?.();
    } catch (error) {
      report(error);
    }
  }

  /** Reads the answer, over as many connections as it takes. */
  async #answer(question: Question): Promise<void> {
    const { signal } = question.abort;
    this.#tell("connecting");
    for (let failures = 1; ; failures += 1) {
      const before = question.lastEventId;
      try {
        await this.#connect(question);
        return;
      } catch (error) {
        question.broken = isUnreachable(error);
        if (signal.aborted || !question.broken) throw error;
        if (question.lastEventId !== before) failures = 1;
        if (failures >= PATIENCE) throw error;
      }
      await pause(backoff(failures), signal);
      signal.throwIfAborted();
    }
  }

  /** One connection. Returns once the answer is whole. */
  async #connect(question: Question): Promise<void> {
    const { text: message, commandId: command_id, lastEventId } = question;
    const body = { message, session_id: this.sessionId, command_id };
    const init = this.#post(body, ACCEPT, lastEventId);
    const { signal } = question.abort;
    const url = `${this.#base}/api/chat/stream`;
    let any = false;
    for await (const batch of readSse({ fetch: this.#fetch, url, init, signal })) {
      for (const event of batch) {
        any = true;
        if (this.#take(question, event)) return;
      }
    }
    // A 204: all of it was delivered before the connection broke.
    if (!any && question.lastEventId !== null) return;
    throw new Unreachable("The stream ended before the answer did.");
  }

  /** Takes in one event; whether it was the last. Throws `Refused` for a failed turn. */
  #take(question: Question, event: EventSourceMessage): boolean {
    const data = parse(event.data);
    const text = typeof data.text === "string" ? data.text : "";
    if (typeof data.message_id === "string") question.answerId = data.message_id;
    switch (event.event) {
      case "connected":
        // It begins elsewhere than we asked: at the first token again.
        if (question.lastEventId !== null && event.id !== question.lastEventId) {
          question.received = "";
        }
        this.#tell("thinking");
        break;
      case "token":
        question.received += text;
        if (event.id !== undefined) question.lastEventId = event.id;
        this.#tell("writing", () => {
          const { received: fullText, answerId: message_id } = question;
          this.#options.onToken?.({ text, fullText, message_id });
        });
        return false;
      case "done":
        if (typeof data.fullText === "string") question.received = data.fullText;
        return true;
      case "error":
        throw new Refused(String(data.kind ?? "server"), String(data.message ?? "It failed."));
    }
    if (event.id !== undefined) question.lastEventId = event.id;
    return false;
  }

  #post(body: unknown, accept: string, lastEventId: string | null = null): RequestInit {
    const headers: Record<string, string> = {
      Accept: accept,
      Authorization: `Bearer ${this.#options.token}`,
      "Content-Type": "application/json",
    };
    if (lastEventId !== null) headers["Last-Event-ID"] = lastEventId;
    return { ...requestInit("direct"), method: "POST", headers, body: JSON.stringify(body) };
  }

  /** Tells the kernel to end the turn: it goes on when a connection just closes. */
  async #stop(question: Question): Promise<void> {
    const { answerId } = question;
    const stop = { type: "stop", command_id: randomId() };
    // Before the first token nobody has said which answer it is; then it is the one that runs.
    const command = answerId === null ? stop : { ...stop, message_id: answerId };
    const url = `${this.#base}/api/sessions/${encodeURIComponent(this.sessionId)}/commands`;
    await ask(this.#fetch, url, this.#post(command, "application/json")).catch((error: unknown) => {
      // Nobody there, or no such talk yet: then there is nothing to end either.
      if (!isRefused(error) && !isUnreachable(error)) throw error;
    });
  }
}

function describe(error: unknown, question: Question): ChatClientError {
  const kind = isRefused(error) ? error.kind : "connection";
  const message = error instanceof Error ? error.message : String(error);
  return new ChatClientError(kind, message, question.received);
}
