import { afterEach, beforeEach, expect, test } from "vitest";
import { hideTranscript } from "../../src/view/transcript";
import { FakeChat } from "./fake";

const NAME = "kernelchat-transcript-0123456789abcdef";

const shown = (name: string) => {
  const output = document.querySelector(`.${name}`);
  return output !== null && getComputedStyle(output).display !== "none";
};

beforeEach(() => {
  document.body.innerHTML = `<div class="${NAME}"></div><div class="kernelchat-transcript"></div>`;
});

afterEach(() => {
  document.body.replaceChildren();
  document.head.replaceChildren();
});

test("a view that hears its kernel hides the transcript of its own talk, and no other", () => {
  const show = hideTranscript(NAME, new FakeChat());
  expect(shown(NAME)).toBe(false);
  expect(shown("kernelchat-transcript")).toBe(true);
  show();
  expect(shown(NAME)).toBe(true);
});

test("until the kernel was heard the transcript stays, and for good where it never is", () => {
  const chat = new FakeChat();
  chat.set({}, { phase: "connecting" });
  hideTranscript(NAME, chat);
  expect(shown(NAME)).toBe(true);
  chat.set({}, { phase: "gone" });
  expect(shown(NAME)).toBe(true);
  chat.set({}, { phase: "open" });
  expect(shown(NAME)).toBe(false);
});

test("a view that lost its kernel still shows the talk, so the transcript stays hidden", () => {
  const chat = new FakeChat();
  hideTranscript(NAME, chat);
  chat.set({}, { phase: "gone" });
  expect(shown(NAME)).toBe(false);
});

test("with two views it is shown again once both are gone", () => {
  const [one, two] = [new FakeChat(), new FakeChat()].map((chat) => hideTranscript(NAME, chat));
  one?.();
  expect(shown(NAME)).toBe(false);
  two?.();
  expect(shown(NAME)).toBe(true);
});

test("a view that went before the kernel answered hides nothing later", () => {
  const chat = new FakeChat();
  chat.set({}, { phase: "connecting" });
  hideTranscript(NAME, chat)();
  chat.set({}, { phase: "open" });
  expect(shown(NAME)).toBe(true);
});

test.each([undefined, "", "x { } body", `${NAME}, body`])("%j is no class of ours", (name) => {
  hideTranscript(name, new FakeChat());
  expect(document.head.childElementCount).toBe(0);
});
