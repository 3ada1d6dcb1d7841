/** The stories that the kernel's half folds too (tests/wire/stories.py): both come to one state. */

import { describe, expect, it } from "vitest";
import stories from "../../../tests/wire/stories.json";
import { EMPTY_STATE, reduceAll } from "../../src/state/reduce";
import { path, queued } from "../../src/state/select";
import type { ChatState, WireEvent } from "../../src/state/types";

interface Story {
  events: WireEvent[];
  snapshot: WireEvent;
  state: Record<string, unknown>;
}

const told = Object.entries(stories as unknown as Record<string, Story>);

const facts = (state: ChatState) => ({
  messages: Object.fromEntries(state.messages),
  path: path(state).map(({ id }) => id),
  queue: queued(state).map(({ id }) => id),
  leaf_id: state.leafId,
  status: state.status,
});

describe.each(told)("the story %s", (_, { events, snapshot, state }) => {
  it("folds to the state that the kernel folds it to", () => {
    expect(facts(reduceAll(EMPTY_STATE, events))).toEqual(state);
  });

  it("comes to the same state however it is cut, with what was sent twice", () => {
    for (let cut = 0; cut <= events.length; cut += 1) {
      const before = reduceAll(EMPTY_STATE, events.slice(0, cut));
      expect(facts(reduceAll(before, events.slice(Math.max(0, cut - 2))))).toEqual(state);
    }
  });

  it("is shown alike by the snapshot of its end", () => {
    const shown = facts(reduceAll(EMPTY_STATE, [snapshot]));
    const { messages, ...rest } = shown;
    expect(rest).toEqual({
      path: state.path,
      queue: state.queue,
      leaf_id: state.leaf_id,
      status: state.status,
    });
    for (const id of shown.path) {
      expect(messages[id]).toEqual((state.messages as Record<string, unknown>)[id]);
    }
  });
});
