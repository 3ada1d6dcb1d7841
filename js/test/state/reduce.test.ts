import fc from "fast-check";
import { describe, expect, it } from "vitest";
import samples from "../../../tests/wire/events.json";
import { EMPTY_STATE, eventId, reduce, reduceAll, withEarlier } from "../../src/state/reduce";
import type { ChatState, WireEvent } from "../../src/state/types";
import { FIRST, message, plain, SESSION, Talk, talks } from "./talk";

const event = (name: string, id: number, data: Record<string, unknown> = {}): WireEvent => ({
  event: name,
  data: { id, session_id: SESSION, ...data },
});

const get = (state: ChatState, id: string) => {
  const found = state.messages.get(id);
  if (found === undefined) throw new Error(`no message ${id}`);
  return found;
};

const writing = (): ChatState => {
  const talk = new Talk();
  talk.send("hi");
  return reduceAll(EMPTY_STATE, talk.events);
};

describe("the samples of the wire", () => {
  it("all fold, one after the other", () => {
    const state = samples.reduce<ChatState>(reduce, EMPTY_STATE);
    expect(state.cursor).toBe(eventId(samples.at(-1) as WireEvent));
    expect([...state.messages.keys()]).toEqual(["u1", "a1", "u2"]);
    expect(get(state, "u1").text).toBe("你好 👋🏽");
    const answer = get(state, "a1");
    expect(answer.text).toBe("Hello\n\u2028");
    expect(answer.tokens).toBe(3);
    expect(answer.reasoning).toBe("hm");
    expect(answer.tools.map((tool) => tool.name)).toEqual(["correlate"]);
    expect(answer.usage).toEqual({ total_tokens: 3 });
    expect(answer.timing?.tokens_per_second).toBe(7.5);
    expect(answer.status).toBe("failed");
    expect(answer.error).toEqual({
      kind: "timeout",
      message: "The model sent nothing for 30 s.",
      retryable: true,
    });
    expect(state.leafId).toBeNull();
    expect(state.status).toBe("retrying");
    expect(state.retryAt).toBe(1764000001000);
    expect(state.notices.map((notice) => notice.text)).toEqual([
      "A callback failed: ZeroDivisionError",
    ]);
  });

  it("each changes the state, but for connected", () => {
    let state: ChatState = EMPTY_STATE;
    for (const sample of samples) {
      const next = reduce(state, sample);
      expect(next === state).toBe(sample.event === "connected");
      state = next;
    }
  });
});

describe("exactly once", () => {
  it("drops what is at or below the cursor", () => {
    const state = writing();
    const token = event("token", FIRST + 5, { message_id: "a2", index: 0, text: "x" });
    const once = reduce(state, token);
    expect(get(once, "a2").text).toBe("x");
    expect(reduce(once, token)).toBe(once);
    expect(reduceAll(state, [token, token])).toEqual(once);
  });

  it("drops the last event again where it comes with the next one", () => {
    const thought = (id: number, text: string) =>
      event("reasoning", id, { message_id: "a2", index: 0, text });
    const once = reduce(writing(), thought(FIRST + 5, "one "));
    const next = reduceAll(once, [thought(FIRST + 5, "one "), thought(FIRST + 6, "two")]);
    expect(get(next, "a2").reasoning).toBe("one two");
  });

  it("drops a token whose index was there, even with a new id", () => {
    const once = reduce(
      writing(),
      event("token", FIRST + 5, { message_id: "a2", index: 0, text: "x" }),
    );
    const again = reduce(
      once,
      event("token", FIRST + 6, { message_id: "a2", index: 0, text: "x" }),
    );
    expect(get(again, "a2").text).toBe("x");
  });

  it("drops a snapshot that another reader asked for a while ago", () => {
    const talk = new Talk();
    talk.send("hi");
    const old = talk.snapshot();
    talk.token("x");
    const state = reduceAll(EMPTY_STATE, talk.events);
    expect(reduce(state, old)).toBe(state);
  });

  it("does not touch the state it was given", () => {
    const state = writing();
    const before = structuredClone(plain(state));
    const talk = new Talk();
    talk.send("hi");
    talk.token("x");
    talk.finish();
    reduceAll(state, talk.events);
    expect(plain(state)).toEqual(before);
  });

  it("is the same from a snapshot and the rest, wherever it is cut", () => {
    fc.assert(
      fc.property(talks, fc.nat(), (talk, seed) => {
        const cut = seed % (talk.events.length + 1);
        const whole = reduceAll(EMPTY_STATE, talk.events);
        const resumed = reduceAll(EMPTY_STATE, [talk.snapshot(cut), ...talk.events.slice(cut)]);
        expect(plain(resumed)).toEqual(plain(whole));
      }),
    );
  });

  it("is the same one by one and in any batches that overlap and come again", () => {
    const bites = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 12 }), fc.boolean()), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(talks, bites, (talk, list) => {
        const whole = talk.events.reduce(reduce, EMPTY_STATE);
        let state: ChatState = EMPTY_STATE;
        let known = 0;
        for (const [from, length, fresh] of list) {
          // A batch starts anywhere in what was seen, as a road does that is behind.
          const start = from % (known + 1);
          const end = Math.min(talk.events.length, start + length);
          const batch = talk.events.slice(start, end);
          state = reduceAll(state, fresh ? [talk.snapshot(start), ...batch] : batch);
          known = Math.max(known, end);
        }
        state = reduceAll(state, talk.events);
        expect(plain(state)).toEqual(plain(whole));
      }),
    );
  });

  it("has in each answer the tokens joined", () => {
    fc.assert(
      fc.property(talks, (talk) => {
        const state = reduceAll(EMPTY_STATE, talk.events);
        for (const answer of state.messages.values()) {
          if (answer.role !== "assistant") continue;
          const tokens = talk.events.filter(
            ({ event, data }) => event === "token" && data.message_id === answer.id,
          );
          expect(answer.text).toBe(tokens.map(({ data }) => data.text).join(""));
          expect(answer.tokens).toBe(tokens.length);
        }
      }),
    );
  });
});

describe("what it does not know", () => {
  it("moves the cursor past unknown events and changes nothing else", () => {
    const state = writing();
    const next = reduce(state, event("weather", FIRST + 5, { sun: true }));
    expect(next).toEqual({ ...state, cursor: FIRST + 5 });
    expect(reduce(state, event("constructor", FIRST + 5))).toEqual(next);
  });

  it("takes no field of a message that it does not know or that is of a wrong kind", () => {
    const state = reduce(
      writing(),
      event("update", FIRST + 5, {
        message_id: "a2",
        changes: { mood: 1, text: 7, status: "asleep", id: "other", feedback: "up" },
      }),
    );
    expect(get(state, "a2")).toEqual({ ...get(writing(), "a2"), feedback: "up" });
  });

  it("survives events of any shape", () => {
    const names = fc.constantFrom(...samples.map((sample) => sample.event), "new");
    const fields = fc.dictionary(
      fc.constantFrom("message", "messages", "message_id", "changes", "index", "text", "status"),
      fc.anything(),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(names, fields), { maxLength: 10 }), (list) => {
        const events = list.map(([name, data], i) => event(name, FIRST + 10 + i, data));
        const state = reduceAll(writing(), events);
        expect(state.messages).toBeInstanceOf(Map);
      }),
    );
  });

  it("ignores what has no id", () => {
    const state = writing();
    expect(reduce(state, { event: "token", data: { message_id: "a2", index: 0 } })).toBe(state);
  });

  it("ignores changes of a message it never loaded", () => {
    const state = writing();
    const next = reduce(
      state,
      event("update", FIRST + 5, { message_id: "old", changes: { feedback: "up" } }),
    );
    expect(next.messages).toBe(state.messages);
  });
});

describe("earlier messages", () => {
  it("come above, and do not undo what was heard since", () => {
    const state = { ...writing(), hasMore: true };
    const earlier = [
      message({ id: "u0", role: "user", text: "before" }),
      message({ id: "u1", role: "user", text: "stale" }),
    ];
    const next = withEarlier(state, earlier, false);
    expect([...next.messages.keys()]).toEqual(["u0", "u1", "a2"]);
    expect(get(next, "u1").text).toBe("hi");
    expect(next.hasMore).toBe(false);
    expect(next.cursor).toBe(state.cursor);
  });
});

describe("cost", () => {
  it("copies the messages once for a batch, however many tokens it holds", () => {
    const many = Array.from({ length: 200 }, (_, i) => message({ id: `m${i}`, role: "user" }));
    const start = reduce(
      EMPTY_STATE,
      event("snapshot", FIRST, {
        messages: [...many, message({ id: "a", role: "assistant", status: "streaming" })],
        leaf_id: "a",
        status: "writing",
      }),
    );
    const messages = new Map(start.messages);
    let copies = 0;
    Object.defineProperty(messages, Symbol.iterator, {
      value() {
        copies += 1;
        return messages.entries();
      },
    });
    const tokens = Array.from({ length: 500 }, (_, index) =>
      event("token", FIRST + 1 + index, { message_id: "a", index, text: "x" }),
    );
    const state = reduceAll({ ...start, messages }, tokens);
    expect(get(state, "a").text).toBe("x".repeat(500));
    expect(copies).toBe(1);
  });
});
