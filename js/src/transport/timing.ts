/** Waiting, and saying what went wrong where nobody waits. */

/** Resolves after `milliseconds`, or as soon as `signal` is aborted. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    if (signal?.aborted) end();
    else signal?.addEventListener("abort", end);
  });
}

const FIRST_MS = 500;
const LONGEST_MS = 8_000;

/** Milliseconds before try number `failures` + 1; spread, so that views do not come all at once. */
export function backoff(failures: number, random: () => number = Math.random): number {
  const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1));
  return longest * (0.5 + random() / 2);
}

/** Shows a fault of our own in the console and to the host, and lets everything else go on. */
export function report(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
