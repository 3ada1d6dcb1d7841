/**
 * A kernel with one conversation and the page that shows it, worked by hand: what is sent waits on
 * its road until a test lets it through, so that any order of arrival can be had.
 */

import { vi } from "vitest";
import type { WireEvent } from "../../src/state/types";
import { KernelChat } from "../../src/transport/chat";
import type { CommPort } from "../../src/transport/comm";
import { Hub, type HubOptions } from "../../src/transport/hub";
import { Talk } from "../state/talk";
import { type Asked, type Body, flush, Network } from "./wire";

type Fields = Record<string, unknown>;

/** The widget's custom messages, both ways. */
export class Port implements CommPort {
  /** From the page, and not yet seen by the kernel. */
  readonly sent: Fields[] = [];
  /** The kernel was restarted: the host takes no more messages. */
  dead = false;
  private readonly listeners = new Set<(content: unknown) => void>();

  send(content: Readonly<Fields>): void {
    if (this.dead) throw new Error("Cannot send");
    this.sent.push(structuredClone(content) as Fields);
  }

  onMessage(listener: (content: unknown) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  receive(content: unknown): void {
    for (const listener of [...this.listeners]) listener(content);
  }

  /** Takes what was sent of that type. */
  take(type: string): Fields[] {
    const taken = this.sent.filter((content) => content.type === type);
    for (const content of taken) this.sent.splice(this.sent.indexOf(content), 1);
    return taken;
  }

  frame(after: number | null, events: readonly WireEvent[]): void {
    this.receive({ type: "frame", v: 1, after, events });
  }
}

export const CANDIDATE = { transport: "direct", base: "http://127.0.0.1:4711", timeout: 1500 };

export interface KernelOptions {
  readonly session?: string;
  readonly network?: Network;
  readonly hub?: Hub | null;
  readonly hubOptions?: HubOptions;
  readonly port?: Port | null;
  /** The view begins where the talk was empty. */
  readonly fromStart?: boolean;
}

export class Kernel {
  readonly talk: Talk;
  readonly net: Network;
  readonly port: Port;
  readonly hub: Hub | null;
  readonly chat: KernelChat;
  changes = 0;

  constructor(options: KernelOptions = {}) {
    this.talk = new Talk(options.session);
    this.net = options.network ?? new Network();
    this.port = options.port ?? new Port();
    this.hub = options.hub === undefined ? new Hub(options.hubOptions) : options.hub;
    this.chat = new KernelChat({
      sessionId: this.talk.session,
      instance: "k1",
      widgetId: `w-${this.talk.session}`,
      comm: options.port === null ? null : this.port,
      hub: this.hub,
      fetch: this.net.fetch,
      origin: "http://localhost:8888",
      start: options.fromStart ? this.talk.first : 0,
      candidates: () => Promise.resolve([CANDIDATE as never]),
    });
    this.chat.subscribe(() => {
      this.changes += 1;
    });
  }

  get text(): string {
    return [...this.chat.state().messages.values()].map(({ text }) => text).join("|");
  }

  /** Streams that the page has not closed. */
  get openStreams(): Asked[] {
    return this.net.to("/api/events").filter((asked) => !asked.aborted);
  }

  get phase(): string {
    return this.chat.connection().phase;
  }

  get transport(): string {
    return this.chat.connection().transport;
  }

  /** The kernel gets to its comm messages and answers the hellos that want it. */
  answerHellos(): void {
    for (const { transport, after } of this.port.take("hello")) {
      if (transport === "comm") this.frame(after as number | null);
    }
  }

  /** What comes after `after`, over the comm. */
  frame(after: number | null): void {
    const events = this.talk.after(after);
    const whole = events[0]?.event === "snapshot";
    this.port.frame(whole ? null : after, events);
  }

  /** Lets the probe that waits pass. */
  async prove(): Promise<void> {
    await flush();
    const asked = this.net.next("/api/probe");
    const c = asked.query.get("c");
    const body = asked.sse();
    this.port.receive({ type: "grant", c, token: "secret" });
    body.event("probe", { instance: "k1", c, n: 1 });
    await flush();
    vi.advanceTimersByTime(150);
    body.event("probe", { instance: "k1", c, n: 2 });
    await flush();
  }

  /** Accepts the stream that waits, and sends it what its cursor lacks. */
  async accept(): Promise<Line> {
    await flush();
    const line = new Line(this, this.net.next("/api/events"));
    line.flow();
    await flush();
    return line;
  }

  /** The command that waits at HTTP; answered with the talk's last id. */
  takeCommand(): Asked {
    return this.net.next("/commands");
  }
}

/** One open event stream of one conversation. */
export class Line {
  readonly asked: Asked;
  readonly body: Body;
  private readonly kernel: Kernel;
  private cursor: number | null;

  constructor(kernel: Kernel, asked: Asked) {
    this.kernel = kernel;
    this.asked = asked;
    this.cursor = asked.body.cursors[kernel.talk.session] ?? null;
    this.body = asked.sse();
    this.body.event("connected", {
      session_id: kernel.talk.session,
      protocol: 1,
      instance: "k1",
      status: "idle",
      message: "connected",
    });
  }

  get open(): boolean {
    return !this.asked.aborted;
  }

  /** Sends what happened since, at most `most` events. */
  flow(most = Number.POSITIVE_INFINITY): void {
    if (!this.open) return;
    for (const event of this.kernel.talk.after(this.cursor).slice(0, most)) {
      this.body.event(event.event, event.data);
      this.cursor = event.data.id as number;
    }
  }
}

/** A chat that was heard over the comm and has a stream now. */
export async function flowing(kernel = new Kernel()): Promise<{ kernel: Kernel; line: Line }> {
  kernel.answerHellos();
  await kernel.prove();
  const line = await kernel.accept();
  kernel.port.sent.length = 0;
  return { kernel, line };
}

/** A chat that was heard over the comm, and has HTTP too when `http`. */
export async function standing(http: boolean): Promise<Kernel> {
  if (http) return (await flowing()).kernel;
  const kernel = new Kernel({ hub: null });
  kernel.answerHellos();
  return kernel;
}

/** Asks, and tells what becomes of it. */
export const send = (kernel: Kernel, text = "hi") => {
  let outcome: unknown = "open";
  const done = kernel.chat.command({ type: "send", text }).then(
    () => {
      outcome = "done";
    },
    (error: unknown) => {
      outcome = error;
    },
  );
  return { done, outcome: () => outcome };
};
