/** The road over the Jupyter comm: works in every host, though only between two cells upwards. */

import { isFields } from "../state/message";
import type { Transport, WireEvent } from "../state/types";
import { readError, Unreachable } from "./errors";
import type { Command, Receipt } from "./http";

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
  cursor(): number | null;
  readonly handlers: CommHandlers;
}

interface Pending {
  readonly command: Command;
  resolve(receipt: Receipt): void;
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
    return [...this.#pending.values()].map(({ command }) => command);
  }

  /** Says where this view stands; over "comm" the kernel answers with what comes after `after`. */
  hello(transport: Transport, after: number | null): boolean {
    const { view, origin } = this.#options;
    return this.#send({ type: "hello", view, after, origin, transport });
  }

  /** Resolves once the kernel did it, which may be after the cell that runs now. */
  command(command: Command): Promise<Receipt> {
    const { view } = this.#options;
    if (!this.#send({ type: "command", view, command })) {
      return Promise.reject(new Unreachable("The kernel of this chat is gone."));
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        pending.late = true;
        this.#options.handlers.changed();
      }, ACK_MS);
      const pending: Pending = { command, resolve, reject, late: false, timer };
      this.#pending.set(command.command_id, pending);
    });
  }

  /** The answer to a command came, by whichever road. */
  settle(commandId: string, outcome: Receipt | Error): void {
    const pending = this.#pending.get(commandId);
    if (pending === undefined) return;
    this.#pending.delete(commandId);
    clearTimeout(pending.timer);
    if (outcome instanceof Error) pending.reject(outcome);
    else pending.resolve(outcome);
    if (pending.late) this.#options.handlers.changed();
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

  close(): void {
    this.#unlisten();
    this.giveUp();
  }

  #send(content: Readonly<Record<string, unknown>>): boolean {
    const wasDead = this.dead;
    try {
      this.#options.port.send(content);
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
    if (content.type === "frame") this.#frame(content);
    else if (content.type === "ack") this.#ack(content);
    else if (content.type === "grant") this.#granted(content);
  }

  #frame({ v, after, events }: Readonly<Record<string, unknown>>): void {
    if (v !== 1 || !Array.isArray(events)) return;
    const cursor = this.#options.cursor();
    const follows = after === null || (cursor !== null && Number(after) <= cursor);
    if (follows) this.#options.handlers.frame(events.filter(isEvent));
    else this.#options.handlers.gap();
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
