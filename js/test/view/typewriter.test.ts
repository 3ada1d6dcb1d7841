import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BUDGET, createTypewriter, graphemes } from "../../src/view/typewriter";

interface Push {
  at: number;
  text: string;
}

const FRAME = 16;
const parts = ["a", "word ", "\n", "你好", "👩‍👩‍👧‍👦", "e\u0301", "👋🏽", "नमस्ते", "🇩🇪", "```\n"];
const pieces = fc.array(
  fc.record({ gap: fc.nat({ max: 900 }), text: fc.array(fc.constantFrom(...parts)) }),
  { maxLength: 25 },
);

function timed(list: readonly { gap: number; text: readonly string[] }[]): Push[] {
  let at = 0;
  return list.map(({ gap, text }) => {
    at += gap;
    return { at, text: text.join("") };
  });
}

/** Plays `pushes` against frames that come every `frame` ms; `see` is called after each frame. */
function play(
  speed: number,
  pushes: readonly Push[],
  frame: number,
  see: (shown: string, received: string, now: number) => void,
): string {
  const typewriter = createTypewriter(speed);
  const waiting = [...pushes];
  let received = "";
  let shown = "";
  const last = pushes.at(-1)?.at ?? 0;
  for (let now = 0; now <= last + 2 * BUDGET; now += frame) {
    while (waiting[0] && waiting[0].at <= now) {
      const { at, text } = waiting.shift() as Push;
      typewriter.push(text, at);
      received += text;
    }
    shown += typewriter.release(now);
    see(shown, received, now);
  }
  typewriter.end();
  return shown + typewriter.flush();
}

describe("text leaves in order, whole, and in time", () => {
  test("nothing is lost, doubled or reordered", () => {
    fc.assert(
      fc.property(pieces, fc.constantFrom(0, -1, 5, 80), (list, speed) => {
        const pushes = timed(list);
        const whole = pushes.map(({ text }) => text).join("");
        expect(
          play(speed, pushes, FRAME, (shown) => expect(whole.startsWith(shown)).toBe(true)),
        ).toBe(whole);
      }),
    );
  });

  test("what is shown ends between two characters of what came", () => {
    fc.assert(
      fc.property(pieces, fc.constantFrom(0, -1, 20), (list, speed) => {
        let before = "";
        play(speed, timed(list), FRAME, (shown, received) => {
          if (shown === before) return;
          const ends = new Set<number>();
          let end = 0;
          for (const grapheme of graphemes(received)) {
            end += grapheme.length;
            ends.add(end);
          }
          expect(ends).toContain(shown.length);
          before = shown;
        });
      }),
      { numRuns: 40 },
    );
  });

  test("a character is never behind by more than the budget", () => {
    fc.assert(
      fc.property(pieces, fc.integer({ min: 5, max: 50 }), (list, frame) => {
        const pushes = timed(list);
        play(0, pushes, frame, (shown, _received, now) => {
          const old = pushes.filter(({ at }) => now - at >= BUDGET);
          expect(shown.length).toBeGreaterThanOrEqual(old.map(({ text }) => text).join("").length);
        });
      }),
    );
  });

  test("a character cut between two pieces is held back until it is whole", () => {
    const typewriter = createTypewriter(0);
    typewriter.push("e", 0);
    expect(typewriter.release(FRAME)).toBe("");
    typewriter.push("\u0301x", FRAME);
    expect(typewriter.release(2 * FRAME)).toBe("e\u0301");
    expect(typewriter.release(BUDGET)).toBe("x");
  });
});

test("a Chinese character waits for nothing", () => {
  const typewriter = createTypewriter(0);
  typewriter.push("你", 0);
  expect(typewriter.release(0)).toBe("你");
});

describe("rhythm", () => {
  test("bursts leave evenly once their rhythm is known", () => {
    const bursts = Array.from({ length: 20 }, (_, index) => ({
      at: index * 200,
      text: "x".repeat(24),
    }));
    const steps: number[] = [];
    let before = 0;
    play(0, bursts, FRAME, (shown, _received, now) => {
      if (now > 600 && now < 3600) steps.push(shown.length - before);
      before = shown.length;
    });
    // 24 characters in 12.5 frames: two at a time, not 24 and then none.
    expect(Math.max(...steps)).toBeLessThanOrEqual(4);
    expect(steps.filter((step) => step === 0).length).toBeLessThan(steps.length / 4);
  });

  test("the first character is shown by the first frame", () => {
    const typewriter = createTypewriter(0);
    typewriter.push("Hello", 1000);
    expect(typewriter.release(1000 + FRAME)).not.toBe("");
  });

  test("speed is in characters per second", () => {
    const typewriter = createTypewriter(50);
    typewriter.push("x".repeat(500), 0);
    let shown = 0;
    for (let now = 0; now <= 2000; now += FRAME) shown += typewriter.release(now).length;
    expect(shown).toBeGreaterThanOrEqual(99);
    expect(shown).toBeLessThanOrEqual(102);
  });

  test("speed holds for a slow trickle too", () => {
    const typewriter = createTypewriter(20);
    let shown = 0;
    for (let now = 0; now < 3000; now += 10) {
      typewriter.push("你", now);
      shown += typewriter.release(now).length;
    }
    expect(shown).toBeGreaterThanOrEqual(59);
    expect(shown).toBeLessThanOrEqual(62);
  });

  test("a negative speed holds nothing back", () => {
    const typewriter = createTypewriter(-1);
    typewriter.push("x".repeat(500), 0);
    expect(typewriter.release(0)).toHaveLength(500);
    expect(typewriter.empty).toBe(true);
  });

  test("a backlog is not typed", () => {
    const typewriter = createTypewriter(0);
    typewriter.push("x".repeat(50_000), 0);
    expect(typewriter.release(FRAME)).toHaveLength(50_000);
  });

  test("the queue does not grow with what was shown", () => {
    const typewriter = createTypewriter(0);
    let shown = 0;
    for (let now = 0; now < 60_000; now += FRAME) {
      typewriter.push("word ", now);
      shown += typewriter.release(now).length;
    }
    expect(shown + typewriter.flush().length).toBe(5 * Math.ceil(60_000 / FRAME));
  });
});
