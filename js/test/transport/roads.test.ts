/** Whatever happens on the roads, in whatever order: a view is never ahead, behind or twice. */

import fc from "fast-check";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { EMPTY_STATE, reduceAll } from "../../src/state/reduce";
import type { WireEvent } from "../../src/state/types";
import { plain, steps } from "../state/talk";
import { Kernel, Line } from "./kernel";
import { flush, TIMERS } from "./wire";

beforeEach(() => {
  vi.useFakeTimers(TIMERS);
});

afterEach(() => {
  vi.useRealTimers();
});

/** A kernel whose carrier sends frames as the real one does, over a comm that may lose them. */
class World extends Kernel {
  readonly lines: Line[] = [];
  private readonly frames: { after: number | null; events: WireEvent[] }[] = [];
  private carried = this.talk.first;

  /** The carrier says what happened since its last frame. */
  carry(): void {
    this.frames.push({ after: this.carried, events: this.talk.after(this.carried) });
    this.carried = this.talk.last;
  }

  deliver(lost = false): void {
    const frame = this.frames.shift();
    if (frame !== undefined && !lost) this.port.frame(frame.after, frame.events);
  }

  get proving(): boolean {
    return this.net.waiting("/api/probe").length > 0;
  }

  takeStream(refused = false): void {
    const [asked] = this.net.waiting("/api/events");
    if (asked === undefined) return;
    if (refused) asked.fail();
    else this.lines.push(new Line(this, asked));
  }

  get line(): Line | undefined {
    return this.lines.filter((line) => line.open).at(-1);
  }

  /** The state is that of the events up to its cursor, no more and no less. */
  check(): void {
    const state = this.chat.state();
    if (state.cursor === null) return;
    const seen = this.talk.events.slice(0, state.cursor - this.talk.first);
    const { cursor: _, ...expected } = plain(reduceAll(EMPTY_STATE, seen)) as { cursor: unknown };
    const { cursor: __, ...found } = plain(state) as { cursor: unknown };
    expect(found).toEqual(expected);
  }

  /** The roads hold, and the kernel calls its views: everything arrives. */
  async settle(): Promise<void> {
    this.talk.notice("end");
    for (let i = 0; i < 60 && this.chat.state().cursor !== this.talk.last; i += 1) {
      this.deliver();
      if (i % 10 === 0) this.carry();
      this.answerHellos();
      if (this.proving) await this.prove();
      this.takeStream();
      this.line?.flow();
      await flush();
      vi.advanceTimersByTime(1_000);
      await flush();
      this.check();
    }
  }
}

type Act = (world: World) => unknown;

const acts: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: steps.map(
      (list): Act =>
        (world) =>
          list.map((act) => act(world.talk)),
    ),
  },
  { weight: 2, arbitrary: fc.constant<Act>((world) => world.answerHellos()) },
  { weight: 2, arbitrary: fc.constant<Act>((world) => world.carry()) },
  { weight: 3, arbitrary: fc.constant<Act>((world) => world.deliver()) },
  { weight: 1, arbitrary: fc.constant<Act>((world) => world.deliver(true)) },
  { weight: 3, arbitrary: fc.constant<Act>((world) => world.proving && world.prove()) },
  { weight: 3, arbitrary: fc.constant<Act>((world) => world.takeStream()) },
  { weight: 1, arbitrary: fc.constant<Act>((world) => world.takeStream(true)) },
  {
    weight: 3,
    arbitrary: fc.nat({ max: 9 }).map(
      (n): Act =>
        (world) =>
          world.line?.flow(n),
    ),
  },
  { weight: 1, arbitrary: fc.constant<Act>((world) => world.line?.body.break()) },
  { weight: 1, arbitrary: fc.constant<Act>((world) => world.chat.look()) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(300, 2_000, 10_000, 36_000).map(
      (time): Act =>
        () =>
          vi.advanceTimersByTime(time),
    ),
  },
);

it("shows exactly the events up to its cursor, and in the end all of them", async () => {
  let byHttp = 0;
  let byComm = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(acts, { minLength: 10, maxLength: 40 }), async (list) => {
      const world = new World();
      world.talk.send("?");
      for (const act of list) {
        await act(world);
        await flush();
        world.check();
      }
      if (world.transport === "comm") byComm += 1;
      else byHttp += 1;
      await world.settle();
      expect(world.chat.state().cursor).toBe(world.talk.last);
      expect(world.phase).toBe("open");
      world.chat.close();
      await flush();
      // A probe that was out ends by itself.
      vi.advanceTimersByTime(1_500);
      await flush();
      expect(vi.getTimerCount()).toBe(0);
    }),
    { numRuns: 60 },
  );
  // Or the property would say little.
  expect(byHttp).toBeGreaterThan(5);
  expect(byComm).toBeGreaterThan(5);
});
