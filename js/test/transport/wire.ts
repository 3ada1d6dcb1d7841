/** A network that is worked by hand: requests wait until a test answers them. */

import { vi } from "vitest";
import type { Fetch } from "../../src/transport/sse";

const encoder = new TextEncoder();

/** An event stream that a test writes. */
export class Body {
  readonly stream: ReadableStream<Uint8Array>;
  private controller!: ReadableStreamDefaultController<Uint8Array>;

  constructor(signal: AbortSignal | null) {
    this.stream = new ReadableStream({
      start: (controller) => {
        this.controller = controller;
      },
    });
    // As browsers do it: the reader sees the signal's reason.
    signal?.addEventListener("abort", () => this.controller.error(signal.reason));
  }

  push(text: string | Uint8Array): void {
    this.controller.enqueue(typeof text === "string" ? encoder.encode(text) : text);
  }

  event(name: string, data: unknown, id?: string | number): void {
    const line = id === undefined ? "" : `id: ${id}\n`;
    this.push(`${line}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  end(): void {
    this.controller.close();
  }

  break(): void {
    this.controller.error(new TypeError("network error"));
  }
}

export class Asked {
  readonly url: string;
  readonly init: RequestInit;
  open = true;
  private readonly resolve: (response: Response) => void;
  private readonly reject: (error: unknown) => void;

  constructor(
    url: string,
    init: RequestInit,
    resolve: (response: Response) => void,
    reject: (error: unknown) => void,
  ) {
    this.url = url;
    this.init = init;
    this.resolve = resolve;
    this.reject = reject;
    init.signal?.addEventListener("abort", () => {
      this.open = false;
      reject(init.signal?.reason);
    });
  }

  get path(): string {
    return new URL(this.url, "http://page.test").pathname;
  }

  get query(): URLSearchParams {
    return new URL(this.url, "http://page.test").searchParams;
  }

  get headers(): Headers {
    return new Headers(this.init.headers);
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests look at all kinds of bodies
  get body(): any {
    return JSON.parse(String(this.init.body));
  }

  get aborted(): boolean {
    return this.init.signal?.aborted === true;
  }

  json(status: number, body: unknown): void {
    this.open = false;
    this.resolve(Response.json(body, { status }));
  }

  text(status: number, body: string, type = "text/html"): void {
    this.open = false;
    this.resolve(new Response(body, { status, headers: { "content-type": type } }));
  }

  nothing(): void {
    this.open = false;
    this.resolve(new Response(null, { status: 204 }));
  }

  sse(type = "text/event-stream; charset=utf-8"): Body {
    this.open = false;
    const body = new Body(this.init.signal ?? null);
    const headers = { "content-type": type };
    this.resolve(new Response(body.stream, { status: 200, headers }));
    return body;
  }

  fail(): void {
    this.open = false;
    this.reject(new TypeError("Failed to fetch"));
  }
}

export class Network {
  readonly asked: Asked[] = [];

  readonly fetch: Fetch = (url, init) =>
    new Promise((resolve, reject) => {
      if (init.signal?.aborted) reject(init.signal.reason);
      this.asked.push(new Asked(url, init, resolve, reject));
    });

  /** Requests to that path that nobody answered yet. */
  waiting(path: string): Asked[] {
    return this.asked.filter((one) => one.open && one.path.endsWith(path));
  }

  /** All requests to that path. */
  to(path: string): Asked[] {
    return this.asked.filter((one) => one.path.endsWith(path));
  }

  /** The oldest request to that path that waits. */
  next(path: string): Asked {
    const [first] = this.waiting(path);
    if (first === undefined) {
      throw new Error(`nobody asks ${path}, only ${this.asked.map((one) => one.path).join(" ")}`);
    }
    return first;
  }
}

/** Lets everything that has no timer to wait for go on. */
export async function flush(): Promise<void> {
  for (let i = 0; i < 4; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Time passes, with fake timers, and what was due is done. */
export async function wait(milliseconds: number): Promise<void> {
  vi.advanceTimersByTime(milliseconds);
  await flush();
}

/** What `vi.useFakeTimers` may take; `flush` needs the rest. */
export const TIMERS = {
  toFake: ["setTimeout", "clearTimeout", "Date", "performance"] as (
    | "setTimeout"
    | "clearTimeout"
    | "Date"
    | "performance"
  )[],
};
