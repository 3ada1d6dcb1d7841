/**
 * When text that arrived in bursts may be shown. Pure: it is told the time.
 *
 * Each piece gets a deadline, and text leaves at the slowest even rate that keeps every deadline.
 * The deadline follows the rhythm of the pieces (a fast stream needs little smoothing, bursts need
 * as much as lies between them) and is never later than `BUDGET` after the piece came.
 */

/** Milliseconds that shown text may be behind what arrived. */
export const BUDGET = 300;
/** Milliseconds; kept free of the budget for the frame that comes late. */
const MARGIN = 50;
/** Milliseconds before a rhythm is known: the first token should be seen at once. */
const FIRST = 12;
/** Milliseconds to wait for the rest of a character that may go on in the next piece. */
const HOLD = 40;
/** Milliseconds; a longer pause is the model thinking, not its rhythm. */
const PAUSE = 600;
/** Milliseconds; pieces this close are one burst. */
const SAME = 8;
/** Characters; more at once is a backlog, such as after a lost connection, and not typed. */
const BACKLOG = 8000;

/** Characters that nothing joins: a Chinese token is often one of them, and is shown at once. */
const COMPLETE = /^[\p{sc=Han}。，、；：？！ \n]$/u;

interface Piece {
  /** Graphemes of the queue up to the end of this piece. */
  end: number;
  readonly deadline: number;
  /** When its last grapheme is taken to be whole. */
  readonly closed: number;
}

export interface Typewriter {
  /** Takes text that arrived at `now` (milliseconds). */
  push(text: string, now: number): void;
  /** What may be shown by `now`, in whole graphemes. */
  release(now: number): string;
  /** No more text will come. */
  end(): void;
  /** Everything that waits, at once. */
  flush(): string;
  /** Whether nothing waits. */
  readonly empty: boolean;
}

/** `speed`: characters per second, 0 for the time budget alone, negative for at once. */
export function createTypewriter(speed: number): Typewriter {
  let queue: string[] = [];
  let head = 0;
  let pieces: Piece[] = [];
  let gap = FIRST;
  let arrived: number | undefined;
  let shown: number | undefined;
  let credit = 0;
  let ended = false;

  const waiting = () => queue.length - head;

  function take(count: number): string {
    const text = queue.slice(head, head + count).join("");
    head += count;
    pieces = pieces.filter((piece) => piece.end > head);
    if (head > 1024 && head * 2 > queue.length) compact();
    return text;
  }

  function compact(): void {
    queue = queue.slice(head);
    for (const piece of pieces) piece.end -= head;
    head = 0;
  }

  /** Graphemes to show now, of those that can be shown. */
  function allowance(now: number, ready: number): number {
    if (speed < 0) return ready;
    const elapsed = shown === undefined ? 0 : now - shown;
    if (speed > 0) credit += (elapsed * speed) / 1000;
    else {
      const from = shown ?? now;
      const rates = pieces.map(({ end, deadline }) => (end - head) / (deadline - from));
      credit += elapsed * Math.max(0, ...rates.filter(Number.isFinite));
    }
    const late = speed > 0 ? undefined : pieces.filter(({ deadline }) => deadline <= now).at(-1);
    const due = Math.max(Math.floor(credit), (late?.end ?? head) - head);
    const count = Math.min(ready, due);
    credit = Math.min(1, Math.max(0, credit - count));
    return count;
  }

  return {
    push(text, now) {
      if (!text) return;
      const since = arrived === undefined ? PAUSE : now - arrived;
      if (since >= SAME && since < PAUSE) gap = Math.max(since, gap * 0.9);
      if (since >= SAME) arrived = now;
      // A pause saves up one character, to be shown at once, and no more.
      if (waiting() === 0) {
        const earned = shown === undefined || speed <= 0 ? 1 : ((now - shown) * speed) / 1000;
        credit = Math.min(1, credit + earned);
        shown = now;
      }
      // The last grapheme may go on in this piece.
      const open = waiting() > 0 ? (queue.pop() ?? "") : "";
      queue.push(...graphemes(open + text));
      const wait = Math.min(gap * 1.25, BUDGET - MARGIN);
      const closed = now + Math.max(wait, HOLD);
      pieces.push({ end: queue.length, deadline: now + wait, closed });
    },

    release(now) {
      if (waiting() === 0) return "";
      if (waiting() > BACKLOG) return this.flush();
      // What follows may still join the last grapheme; it is waited for, but not for long.
      const due = pieces.some(({ end, closed }) => end >= queue.length && closed <= now);
      const whole = ended || due || speed < 0 || COMPLETE.test(queue.at(-1) ?? "");
      const ready = waiting() - (whole ? 0 : 1);
      const text = ready > 0 ? take(allowance(now, ready)) : "";
      shown = now;
      return text;
    },

    end() {
      ended = true;
    },

    flush() {
      return take(waiting());
    },

    get empty() {
      return waiting() === 0;
    },
  };
}

const segmenter =
  "Segmenter" in Intl ? new Intl.Segmenter(undefined, { granularity: "grapheme" }) : undefined;

/** `text` as the reader counts characters; code points where the browser knows no better. */
export function graphemes(text: string): string[] {
  if (!segmenter) return [...text];
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}
