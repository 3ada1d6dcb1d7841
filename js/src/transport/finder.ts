/** Looks for a road again and again, with longer pauses, and stops once it has one. */

import type { Road } from "./http";
import { pause, report } from "./timing";

/**
 * Milliseconds before each try. A kernel that keeps the interpreter to itself misses the first; a
 * page that may not reach loopback misses all, and must not fill its console for ever.
 */
export const ROUNDS: readonly number[] = [0, 2_000, 5_000, 15_000];

export class Finder {
  readonly #attempt: () => Promise<Road | null>;
  readonly #found: (road: Road) => void;
  #running: AbortController | null = null;
  #waiting: AbortController | null = null;

  constructor(attempt: () => Promise<Road | null>, found: (road: Road) => void) {
    this.#attempt = attempt;
    this.#found = found;
  }

  /** Begins, unless it is at it already. */
  start(rounds: readonly number[] = ROUNDS): void {
    if (this.#running !== null) return;
    const running = new AbortController();
    this.#running = running;
    void this.#run(rounds, running.signal)
      .catch(report)
      .finally(() => {
        if (this.#running === running) this.#running = null;
      });
  }

  /** Makes the next try now. */
  hurry(): void {
    this.#waiting?.abort();
    this.start();
  }

  stop(): void {
    this.#running?.abort();
    this.#running = null;
    this.#waiting?.abort();
  }

  async #run(rounds: readonly number[], signal: AbortSignal): Promise<void> {
    for (const wait of rounds) {
      if (wait > 0) {
        this.#waiting = new AbortController();
        await pause(wait, this.#waiting.signal);
      }
      if (signal.aborted) return;
      const road = await this.#attempt();
      if (signal.aborted) return;
      if (road !== null) {
        this.#found(road);
        return;
      }
    }
  }
}
