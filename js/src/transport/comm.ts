/** The road over the Jupyter comm: works in every host, though only between two cells upwards. */

import { isFields } from "../state/message";
import type { Transport, WireEvent } from "../state/types";
import { readError, Unreachable } from "./errors";
import type { Command, KeptAnswer, KeptRequest, Receipt } from "./http";
import { randomId } from "./probe";

/** What a host gives: the widget's custom messages. */
export interface CommPort {
  /** Throws where the comm is closed for good. */
  send(content: Readonly<Record<string, unknown>>): void;
  /** Returns what ends it. */
  onMessage(listener: (content: unknown) => void): () => void;
}

export interface CommHandlers {
  /** These follow the cursor without a gap, or start with a snapshot. */
  frame(events: readonly WireEvent[]): void;
  /** Something is missing before this frame: ask for it. */
  gap(): void;
  /** Whether a command waits for a cell to end, or the comm itself, changed. */
  changed(): void;
}

export interface CommOptions {
  readonly port: CommPort;
  /** Names this page's share in the widget. */
  readonly view: string;
  readonly origin: string;
  readonly sessionId: string;
  cursor(): number | null;
  readonly handlers: CommHandlers;
}

interface Pending {
  /** What another road may carry as well. */
  readonly command: Command | undefined;
  resolve(answer: unknown): void;
  reject(error: Error): void;
  late: boolean;
  timer: ReturnType<typeof setTimeout>;
}

/** Milliseconds. A kernel that is free acknowledges in 20 to 70. */
const ACK_MS = 300;

export class Comm {
  /** A send failed: the kernel was restarted, or its widget closed. */
  dead = false;
  readonly #options: CommOptions;
  readonly #pending = new Map<string, Pending>();
  readonly #grants = new Map<string, (token: string) => void>();
  readonly #unlisten: () => void;
  #left = false;

  constructor(options: CommOptions) {
    this.#options = options;
    this.#unlisten = options.port.onMessage((content) => this.#receive(content));
  }

  /** Some command has not been acknowledged in time: a cell is running. */
  get waiting(): boolean {
    return [...this.#pending.values()].some((command) => command.late);
  }

  /** Commands that were sent and not answered; another road may carry them as well. */
  get unanswered(): Command[] {
    return [...this.#pending.values()].flatMap(({ command }) => command ?? []);
  }

  /** Says where this view stands; over "comm" the kernel answers with what comes after `after`. */
  hello(transport: Transport, after: number | null): boolean {
    return this.#send({ type: "hello", after, origin: this.#options.origin, transport });
  }

  /** Resolves once the kernel did it, which may be after the cell that runs now. */
  command(command: Command): Promise<Receipt> {
    return this.#ask(command.command_id, { type: "command", command }, command);
  }

  /** The same for the kept conversations. */
  kept(request: KeptRequest): Promise<KeptAnswer> {
    const id = randomId();
    return this.#ask(id, { ...request, type: "kept", request_id: id });
  }

  #ask<T>(id: string, content: Readonly<Record<string, unknown>>, command?: Command): Promise<T> {
    if (!this.#send(content)) {
      return Promise.reject(new Unreachable("The kernel of this chat is gone."));
    }
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        pending.late = true;
        this.#options.handlers.changed();
      }, ACK_MS);
      const answered = resolve as Pending["resolve"];
      const pending: Pending = { command, resolve: answered, reject, late: false, timer };
      this.#pending.set(id, pending);
    });
  }

  /** The answer came, by whichever road. */
  settle(id: string, outcome: Receipt | KeptAnswer | Error): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    if (outcome instanceof Error) pending.reject(outcome);
    else pending.resolve(outcome);
    if (pending.late) this.#options.handlers.changed();
    if (this.#left && this.#pending.size === 0) this.#unlisten();
  }

  /** The token that comes with `c`. */
  grant(c: string, signal: AbortSignal): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#grants.set(c, resolve);
      signal.addEventListener("abort", () => {
        this.#grants.delete(c);
        reject(signal.reason);
      });
    });
  }

  /** Gives up what waits for an answer. */
  giveUp(): void {
    for (const id of [...this.#pending.keys()]) {
      this.settle(id, new Unreachable("The kernel of this chat is gone."));
    }
  }

  /** Hears no more but the answers that it waits for. */
  leave(): void {
    this.#left = true;
    if (this.#pending.size === 0) this.#unlisten();
  }

  close(): void {
    this.giveUp();
    this.leave();
  }

  #send(content: Readonly<Record<string, unknown>>): boolean {
    const wasDead = this.dead;
    const { view, sessionId: session_id } = this.#options;
    try {
      // A request about another conversation says so itself.
      this.#options.port.send({ view, session_id, ...content });
      this.dead = false;
    } catch {
      // Whatever the host throws: hosts have no common error, and there is but one cause.
      this.dead = true;
    }
    if (this.dead !== wasDead) this.#options.handlers.changed();
    return !this.dead;
  }

  #receive(content: unknown): void {
    if (!isFields(content)) return;
    if (content.type === "frame" && !this.#left) this.#frame(content);
    else if (content.type === "ack") this.#ack(content);
    else if (content.type === "kept") {
      this.settle(String(content.request_id), readError(content) ?? content);
    } else if (content.type === "grant") this.#granted(content);
  }

  #frame({ v, after, events }: Readonly<Record<string, unknown>>): void {
    if (v !== 1 || !Array.isArray(events)) return;
    const { cursor, handlers, sessionId } = this.#options;
    const told = events.filter(isEvent);
    // The chat turns to another conversation, or has just done so.
    if (told.some(({ data }) => data.session_id !== sessionId)) return;
    const at = cursor();
    if (after === null || (at !== null && Number(after) <= at)) handlers.frame(told);
    else handlers.gap();
  }

  #ack(content: Readonly<Record<string, unknown>>): void {
    const { command_id, event_id } = content;
    if (typeof command_id !== "string") return;
    const receipt = { command_id, event_id: typeof event_id === "number" ? event_id : 0 };
    this.settle(command_id, readError(content) ?? receipt);
  }

  #granted({ c, token }: Readonly<Record<string, unknown>>): void {
    if (typeof c !== "string" || typeof token !== "string") return;
    this.#grants.get(c)?.(token);
    this.#grants.delete(c);
  }
}

const isEvent = (value: unknown): value is WireEvent =>
  isFields(value) && typeof value.event === "string" && isFields(value.data);
