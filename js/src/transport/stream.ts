/** Keeps one event stream open: reads it, and after a failure opens it again from the cursors. */

import type { WireEvent } from "../state/types";
import { isRefused, isUnreachable, Unreachable } from "./errors";
import type { Cursors, Road } from "./http";
import { backoff, pause, report } from "./timing";

export interface StreamOptions {
  readonly road: Road;
  cursors(): Cursors;
  views(): readonly string[];
  /** `asked` is where this connection began. */
  deliver(events: readonly WireEvent[], asked: Cursors): void;
  /** After `failures` in a row without an event between; false ends the stream. */
  failed(error: Error, failures: number): boolean;
}

export class Stream {
  readonly #options: StreamOptions;
  readonly #over = new AbortController();

  constructor(options: StreamOptions) {
    this.#options = options;
    void this.#run().catch(report);
  }

  close(): void {
    this.#over.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#over;
    for (let failures = 1; ; failures += 1) {
      const heard = () => {
        failures = 0;
      };
      const error = await this.#read(heard);
      // A closed stream has failed nobody.
      if (signal.aborted) return;
      failures = Math.max(failures, 1);
      if (!this.#options.failed(error, failures)) return;
      await pause(backoff(failures), signal);
      if (signal.aborted) return;
    }
  }

  /** Reads one connection to its end; returns what ended it. */
  async #read(heard: () => void): Promise<Error> {
    const { road, cursors, views, deliver } = this.#options;
    const { signal } = this.#over;
    const asked = cursors();
    try {
      for await (const events of road.events(asked, views(), signal)) {
        if (signal.aborted) break;
        heard();
        deliver(events, asked);
      }
    } catch (error) {
      if (signal.aborted || isRefused(error) || isUnreachable(error)) return error as Error;
      report(error);
    }
    return new Unreachable("The stream ended.");
  }
}
