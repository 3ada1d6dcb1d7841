import { describe, expect, it } from "vitest";
import { EMPTY_STATE, reduceAll } from "../../src/state/reduce";
import { isAstray, path, queued, runningMessage, siblings } from "../../src/state/select";
import type { ChatState, Message } from "../../src/state/types";
import { message, Talk } from "./talk";

const ids = (messages: readonly Message[]) => messages.map(({ id }) => id);
const fold = (talk: Talk): ChatState => reduceAll(EMPTY_STATE, talk.events);

function holding(messages: Message[], leafId: string | null): ChatState {
  return { ...EMPTY_STATE, leafId, messages: new Map(messages.map((m) => [m.id, m])) };
}

describe("path", () => {
  it("goes from the top to the leaf and leaves other branches out", () => {
    const talk = new Talk();
    talk.send("one");
    talk.token("x");
    talk.finish();
    talk.regenerate();
    talk.finish();
    talk.send("two");
    expect(ids(path(fold(talk)))).toEqual(["u1", "a3", "u4", "a5"]);
  });

  it("is empty after a clear", () => {
    const talk = new Talk();
    talk.send("one");
    talk.finish();
    talk.clear();
    expect(path(fold(talk))).toEqual([]);
  });

  it("begins at the first message that was loaded", () => {
    const state = holding([message({ id: "a9", role: "assistant", parent_id: "u8" })], "a9");
    expect(ids(path(state))).toEqual(["a9"]);
  });

  it("ends where parents go round in a circle", () => {
    const state = holding(
      [
        message({ id: "a", role: "assistant", parent_id: "b" }),
        message({ id: "b", role: "user", parent_id: "a" }),
      ],
      "a",
    );
    expect(ids(path(state))).toEqual(["b", "a"]);
  });
});

describe("siblings", () => {
  it("are the answers to one question, oldest first", () => {
    const talk = new Talk();
    talk.send("one");
    talk.finish();
    talk.regenerate();
    expect(ids(siblings(fold(talk), "a2"))).toEqual(["a2", "a3"]);
    expect(ids(siblings(fold(talk), "a3"))).toEqual(["a2", "a3"]);
    expect(siblings(fold(talk), "none")).toEqual([]);
  });

  it("are not the prompts that wait", () => {
    const talk = new Talk();
    talk.send("one");
    talk.send("two");
    expect(ids(siblings(fold(talk), "u1"))).toEqual(["u1"]);
    expect(ids(siblings(fold(talk), "u3"))).toEqual(["u3"]);
  });
});

describe("what waits and what runs", () => {
  it("waits in the order it was asked", () => {
    const talk = new Talk();
    talk.send("one");
    talk.send("two");
    talk.send("three");
    const state = fold(talk);
    expect(ids(queued(state))).toEqual(["u3", "u4"]);
    expect(runningMessage(state)?.id).toBe("a2");
    talk.finish();
    expect(ids(queued(fold(talk)))).toEqual(["u4"]);
    expect(ids(path(fold(talk)))).toEqual(["u1", "a2", "u3", "a5"]);
  });

  it("finds an answer that is written off the path", () => {
    const state = holding([message({ id: "a", role: "assistant", status: "streaming" })], null);
    expect(runningMessage(state)?.id).toBe("a");
    expect(runningMessage(EMPTY_STATE)).toBeNull();
  });
});

describe("isAstray", () => {
  it("tells a leaf that was never loaded", () => {
    expect(isAstray(holding([], "a9"))).toBe(true);
    expect(isAstray(holding([message({ id: "a9", role: "assistant" })], "a9"))).toBe(false);
    expect(isAstray(EMPTY_STATE)).toBe(false);
  });
});
