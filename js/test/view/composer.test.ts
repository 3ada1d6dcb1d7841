import { afterEach, describe, expect, test, vi } from "vitest";
import { FakeChat, message, question, show, talk } from "./fake";

const running = () => ({
  ...talk(question, message("a1", "assistant", "So", { status: "streaming" })),
  status: "writing" as const,
});

afterEach(() => {
  document.body.replaceChildren();
});

describe("Enter", () => {
  test("sends what was typed and empties the box", async () => {
    const view = show(new FakeChat());
    view.type("  Hello\nthere ");
    expect(view.press("Enter").defaultPrevented).toBe(true);
    await vi.waitFor(() => expect(view.box.value).toBe(""));
    expect(view.chat.commands).toEqual([{ type: "send", text: "Hello\nthere" }]);
  });

  test.each([
    ["with Shift breaks the line", { shiftKey: true }],
    ["of an input method chooses a candidate", { isComposing: true }],
    ["with key code 229 belongs to an input method", { keyCode: 229 }],
  ])("%s", (_name, init) => {
    const view = show(new FakeChat());
    view.type("ni");
    expect(view.press("Enter", init).defaultPrevented).toBe(false);
    expect(view.chat.commands).toEqual([]);
    expect(view.box.value).toBe("ni");
  });

  test("that Safari sends after compositionend does not send, the next one does", () => {
    const view = show(new FakeChat());
    view.type("你");
    view.box.dispatchEvent(new CompositionEvent("compositionend", { bubbles: true }));
    view.press("Enter");
    expect(view.chat.commands).toEqual([]);
    view.box.dispatchEvent(new KeyboardEvent("keyup", { key: "Enter", bubbles: true }));
    view.press("Enter");
    expect(view.chat.commands).toEqual([{ type: "send", text: "你" }]);
  });

  test("sends after a composition whose end was another key's", () => {
    const view = show(new FakeChat());
    view.type("你");
    view.press(" ", { isComposing: true });
    view.box.dispatchEvent(new CompositionEvent("compositionend", { bubbles: true }));
    view.box.dispatchEvent(new KeyboardEvent("keyup", { key: " ", bubbles: true }));
    view.press("Enter");
    expect(view.chat.commands).toHaveLength(1);
  });

  test("sends although a composition never ended", () => {
    const view = show(new FakeChat());
    view.type("n");
    view.box.dispatchEvent(new CompositionEvent("compositionstart", { bubbles: true }));
    view.press("Enter");
    expect(view.chat.commands).toHaveLength(1);
  });

  test("does nothing in an empty box", () => {
    const view = show(new FakeChat());
    view.type(" \n ");
    view.press("Enter");
    expect(view.chat.commands).toEqual([]);
  });
});

describe("Send and Stop", () => {
  test("Send is off while the box is empty", async () => {
    const view = show(new FakeChat());
    expect(view.button("Send")?.disabled).toBe(true);
    view.type("x");
    await vi.waitFor(() => expect(view.button("Send")?.disabled).toBe(false));
    view.button("Send")?.click();
    expect(view.chat.commands).toEqual([{ type: "send", text: "x" }]);
    await vi.waitFor(() => expect(view.button("Send")?.disabled).toBe(true));
  });

  test("Stop stands beside Send only while an answer runs, and names it", async () => {
    const view = show(new FakeChat());
    expect(view.button("Stop")).toBeUndefined();
    view.chat.set(running());
    await vi.waitFor(() => expect(view.button("Stop")).toBeDefined());
    view.button("Stop")?.click();
    expect(view.chat.commands).toEqual([{ type: "stop", message_id: "a1" }]);
    view.type("next");
    view.press("Enter");
    expect(view.chat.commands.at(-1)).toEqual({ type: "send", text: "next" });
  });

  test("Escape stops, but not out of an input method, and not when nothing runs", () => {
    const idle = show(new FakeChat());
    idle.press("Escape");
    expect(idle.chat.commands).toEqual([]);
    const view = show(new FakeChat(running()));
    view.press("Escape", { isComposing: true });
    expect(view.chat.commands).toEqual([]);
    view.press("Escape");
    expect(view.chat.commands).toEqual([{ type: "stop", message_id: "a1" }]);
  });
});

describe("what was typed is not lost", () => {
  test("a refused question comes back with a sentence", async () => {
    const view = show(new FakeChat());
    view.chat.refusal = { kind: "input", message: "The message is longer than 1 MiB." };
    view.type("long");
    view.press("Enter");
    await vi.waitFor(() => expect(view.box.value).toBe("long"));
    expect(view.find("[role=alert]").textContent).toContain("longer than 1 MiB");
    view.press("Enter");
    await vi.waitFor(() => expect(view.host.querySelector("[role=alert]")).toBeNull());
  });

  test("nor what was typed while the refusal was under way", async () => {
    const view = show(new FakeChat());
    view.chat.refusal = { kind: "input", message: "No." };
    view.type("first");
    view.press("Enter");
    view.type("second");
    await vi.waitFor(() => expect(view.box.value).toBe("first\nsecond"));
  });

  test("the draft outlives the view, per chat", () => {
    const chat = new FakeChat();
    const view = show(chat);
    view.type("half a thought");
    view.unmount();
    expect(view.host.childNodes).toHaveLength(0);
    expect(show(chat).box.value).toBe("half a thought");
    expect(show(new FakeChat()).box.value).toBe("");
  });

  test("a new state leaves the box alone", async () => {
    const view = show(new FakeChat());
    view.type("draft");
    const { box } = view;
    view.chat.set(running());
    view.setOptions({ title: "Other" });
    await vi.waitFor(() => expect(view.find(".kernelchat-title").textContent).toBe("Other"));
    expect(view.box).toBe(box);
    expect(box.value).toBe("draft");
  });
});

describe("waiting questions", () => {
  const waiting = message("q1", "user", "And then?", { status: "queued" });
  const withQueue = () => {
    const state = running();
    state.messages = new Map(state.messages).set("q1", waiting);
    return new FakeChat(state);
  };

  test("stand above the box and can be taken back", () => {
    const view = show(withQueue());
    expect(view.find("[data-status=queued] .kernelchat-content").textContent).toBe("And then?");
    view.button("remove")?.click();
    expect(view.chat.commands).toEqual([{ type: "queue_remove", message_id: "q1" }]);
  });

  test("are changed in the box, which then gets back what stood there", async () => {
    const view = show(withQueue());
    view.type("draft");
    view.button("edit")?.click();
    await vi.waitFor(() => expect(view.box.value).toBe("And then?"));
    view.type("And now?");
    view.press("Enter");
    expect(view.chat.commands).toEqual([
      { type: "queue_edit", message_id: "q1", text: "And now?" },
    ]);
    await vi.waitFor(() => expect(view.box.value).toBe("draft"));
  });
});

describe("asking otherwise", () => {
  test("ArrowUp in an empty box brings the last question back, Escape leaves it be", async () => {
    const view = show(new FakeChat(talk(question, message("a1", "assistant", "So."))));
    view.type("draft");
    view.press("ArrowUp");
    expect(view.box.value).toBe("draft");
    view.type("");
    view.press("ArrowUp");
    await vi.waitFor(() => expect(view.box.value).toBe("Why?"));
    view.press("Escape");
    await vi.waitFor(() => expect(view.box.value).toBe(""));
    expect(view.chat.commands).toEqual([]);
  });

  test("an edited question is a sibling, and leaves the draft alone", async () => {
    const view = show(new FakeChat(talk(question, message("a1", "assistant", "So."))));
    view.type("draft");
    view.button("Edit")?.click();
    await vi.waitFor(() => expect(view.box.value).toBe("Why?"));
    view.type("Why not?");
    view.press("Enter");
    expect(view.chat.commands).toEqual([{ type: "edit", message_id: "u1", text: "Why not?" }]);
    await vi.waitFor(() => expect(view.box.value).toBe("draft"));
  });
});

describe("the notebook around it", () => {
  test("sees no keys, no pasting, no copying", () => {
    const view = show(new FakeChat());
    const seen: string[] = [];
    for (const name of ["keydown", "keyup", "keypress", "paste", "copy", "cut", "input"]) {
      document.addEventListener(name, ({ type }) => seen.push(type));
      view.box.dispatchEvent(new Event(name, { bubbles: true, composed: true }));
      view.find(".kernelchat-log").dispatchEvent(new Event(name, { bubbles: true }));
    }
    expect(seen).toEqual([]);
    expect(view.root.dataset.lmSuppressShortcuts).toBe("true");
  });

  test("has no box when input is off, and a disabled one when its kernel is gone", async () => {
    expect(show(new FakeChat(), { input: false }).host.querySelector("textarea")).toBeNull();
    const view = show(new FakeChat(talk(question)));
    view.chat.set({}, { phase: "gone" });
    await vi.waitFor(() => expect(view.box.disabled).toBe(true));
    expect(view.find(".kernelchat-status").textContent).toContain("Re-run the cell");
    expect(view.content("u1")).toBe("Why?");
  });
});
