import { describe, expect, test } from "vitest";
import { Pace } from "../../src/view/pace";
import { message } from "./fake";

const streaming = (text: string, tokens: number) =>
  message("a1", "assistant", text, { status: "streaming", tokens });

describe("the pace of an answer", () => {
  test("is counted from here while it is written", () => {
    const pace = new Pace();
    expect(pace.read(streaming("", 0), 1000)).toEqual({
      first_token_ms: null,
      tokens_per_second: null,
    });
    pace.read(streaming("a", 1), 1400);
    expect(pace.read(streaming("a b c", 41), 2400)).toEqual({
      first_token_ms: 400,
      tokens_per_second: 40,
    });
  });

  test("has no beginning when the view came later", () => {
    const pace = new Pace();
    pace.read(streaming("half", 100), 1000);
    expect(pace.read(streaming("half and", 110), 2000)).toEqual({
      first_token_ms: null,
      tokens_per_second: 10,
    });
  });

  test("is the kernel's once it is known, and starts anew with the next answer", () => {
    const pace = new Pace();
    pace.read(streaming("a", 1), 0);
    const timing = { first_token_ms: 7, total_ms: 9, tokens_per_second: 3 };
    expect(pace.read(message("a1", "assistant", "a", { timing }), 9)).toBe(timing);
    pace.read(message("a2", "assistant", "", { status: "streaming" }), 100);
    const next = message("a2", "assistant", "x", { status: "streaming", tokens: 1 });
    expect(pace.read(next, 150).first_token_ms).toBe(50);
    expect(pace.read(undefined, 0)).toEqual({});
  });
});
