import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FakeChat, message, question, show, talk } from "./fake";

const streaming = (text = "") =>
  new FakeChat({
    ...talk(question, message("a1", "assistant", text, { status: "streaming" })),
    status: text ? "writing" : "thinking",
  });

const status = (host: HTMLElement, id: string) =>
  host.querySelector<HTMLElement>(`[data-message-id="${id}"]`)?.dataset.status;

beforeEach(() => {
  document.body.replaceChildren();
});

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("an answer that comes", () => {
  test("dots until the first token, then text, then nothing but text", async () => {
    const view = show(streaming());
    expect(view.host.querySelectorAll(".kernelchat-dots")).toHaveLength(1);
    view.chat.patch("a1", { text: "Because **it" }, { status: "writing" });
    await vi.waitFor(() => expect(view.content("a1")).toContain("Because"));
    expect(view.host.querySelector(".kernelchat-dots")).toBeNull();
    expect(view.host.querySelector(".kernelchat-cursor")).not.toBeNull();
    view.chat.patch("a1", { text: "Because **it** is.", status: "done" }, { status: "idle" });
    await vi.waitFor(() => expect(status(view.host, "a1")).toBe("done"));
    expect(view.find('[data-message-id="a1"] .kernelchat-content').innerHTML).toBe(
      "<p>Because <strong>it</strong> is.</p>",
    );
  });

  test.each(["done", "stopped", "failed"] as const)(
    "no dots stay when it ends %s without text",
    async (end) => {
      const view = show(streaming());
      view.chat.patch("a1", { status: end }, { status: "idle" });
      await vi.waitFor(() => expect(status(view.host, "a1")).toBe(end));
      expect(view.host.querySelector(".kernelchat-dots")).toBeNull();
      expect(view.host.querySelector(".kernelchat-cursor")).toBeNull();
    },
  );

  test("is not done for its reader before all of it is on the page", async () => {
    const view = show(streaming());
    const text = "word ".repeat(200);
    view.chat.patch("a1", { text, status: "done" }, { status: "idle" });
    const seen: [string | undefined, boolean][] = [];
    await vi.waitFor(() => {
      seen.push([status(view.host, "a1"), view.content("a1").trim() === text.trim()]);
      expect(status(view.host, "a1")).toBe("done");
    });
    expect(seen.filter(([now, whole]) => now === "done" && !whole)).toEqual([]);
  });

  test("what was there when the view came is shown at once", () => {
    const text = "Much text. ".repeat(100);
    expect(show(streaming(text)).content("a1")).toContain(text.trim());
  });

  test("what came before a stop is shown at once", async () => {
    const view = show(streaming(), { speed: 1 });
    view.chat.patch("a1", { text: "slow ".repeat(50), status: "stopped" }, { status: "idle" });
    await vi.waitFor(() => expect(view.find(".kernelchat-tag").textContent).toBe("Stopped"));
    expect(view.content("a1").trim()).toBe("slow ".repeat(50).trim());
  });

  test("is not typed for those who asked for less motion", async () => {
    vi.stubGlobal("matchMedia", () => ({
      matches: true,
      addEventListener() {},
      removeEventListener() {},
    }));
    const view = show(streaming(), { speed: 1 });
    view.chat.patch("a1", { text: "all of it at once" }, { status: "writing" });
    await vi.waitFor(() => expect(view.content("a1")).toBe("all of it at once"));
  });

  test("is drawn anew when a snapshot says otherwise", async () => {
    const view = show(streaming("The first word"));
    view.chat.patch("a1", { text: "Another word" });
    await vi.waitFor(() => expect(view.content("a1")).toBe("Another word"));
  });

  test("leaves every other message's nodes alone", async () => {
    const chat = new FakeChat({
      ...talk(
        question,
        message("a1", "assistant", "One\n\n- two"),
        message("u2", "user", "And?"),
        message("a2", "assistant", "", { status: "streaming" }),
      ),
      status: "thinking",
    });
    const view = show(chat);
    const others = [...view.host.querySelectorAll("article")].slice(0, 3);
    const changes: MutationRecord[] = [];
    const observer = new MutationObserver((records) => changes.push(...records));
    for (const element of others) {
      observer.observe(element, {
        subtree: true,
        childList: true,
        attributes: true,
        characterData: true,
      });
    }
    let text = "";
    for (const word of ["So ", "it ", "goes.\n\n", "Twice."]) {
      text += word;
      chat.patch("a2", { text }, { status: "writing" });
      await vi.waitFor(() => expect(view.content("a2")).toContain(word.trim()));
    }
    expect(changes).toEqual([]);
    expect([...view.host.querySelectorAll("article")].slice(0, 3)).toEqual(others);
  });

  test("ends with the cursor behind the last character, wherever that is", async () => {
    for (const [text, parent] of [
      ["text", "P"],
      ["- a\n- b", "LI"],
      ["|a|b|\n|-|-|\n|c|", "TD"],
      ["```\ncode", "SPAN"],
      ["**bold", "P"],
    ] as const) {
      const view = show(streaming(text));
      const cursor = view.find(".kernelchat-cursor");
      expect(cursor.parentElement?.tagName).toBe(parent);
      expect(cursor.nextSibling).toBeNull();
      view.unmount();
    }
  });

  test.each([
    ["▌", "▌"],
    ["none", undefined],
    ["", ""],
  ])("cursor %j", (cursor, drawn) => {
    const view = show(streaming("text"), { cursor });
    expect(view.host.querySelector(".kernelchat-cursor")?.textContent).toBe(drawn);
  });
});

describe("an answer that failed", () => {
  const failed = (text: string) =>
    talk(
      question,
      message("a1", "assistant", text, {
        status: "failed",
        error: { kind: "timeout", message: "The model sent nothing for 30 s.", retryable: true },
      }),
    );

  test("says why, keeps what came, and Retry asks again", () => {
    const view = show(new FakeChat(failed("Half of")));
    expect(view.content("a1")).toBe("Half of");
    expect(view.find(".kernelchat-error").textContent).toContain("nothing for 30 s");
    view.button("Retry")?.click();
    expect(view.chat.commands).toEqual([{ type: "regenerate", message_id: "a1" }]);
  });

  test("a normal end shows no error", () => {
    const view = show(new FakeChat(talk(question, message("a1", "assistant", "All."))));
    expect(view.host.querySelector(".kernelchat-error")).toBeNull();
    expect(view.button("Retry")).toBeUndefined();
  });

  test("its words are text", () => {
    const chat = new FakeChat(failed(""));
    chat.patch("a1", { error: { kind: "model", message: "<img src=x onerror=alert(1)>" } });
    const view = show(chat);
    expect(view.host.querySelector("img")).toBeNull();
    expect(view.find(".kernelchat-error").textContent).toContain("<img src=x");
  });
});

describe("what can be done with a message", () => {
  test("copying leaves deceptive characters out and says that it copied", async () => {
    const writeText = vi.fn(async () => {});
    vi.stubGlobal("navigator", { language: "en", clipboard: { writeText } });
    const view = show(new FakeChat(talk(question, message("a1", "assistant", "a\u202Eb **c**"))));
    view.button("Copy")?.click();
    await vi.waitFor(() => expect(view.button("Copied")).toBeDefined());
    expect(writeText).toHaveBeenCalledWith("ab **c**");
  });

  test("a code block's button copies the code alone", async () => {
    const writeText = vi.fn(async () => {});
    vi.stubGlobal("navigator", { language: "en", clipboard: { writeText } });
    const text = "```python\nx = 1\n```";
    const view = show(new FakeChat(talk(question, message("a1", "assistant", text))));
    view.find(".kernelchat-code-copy").click();
    await vi.waitFor(() => expect(writeText).toHaveBeenCalledWith("x = 1"));
  });

  test("a browser that forbids copying is named in a sentence", async () => {
    vi.stubGlobal("navigator", { language: "en" });
    const view = show(new FakeChat(talk(question, message("a1", "assistant", "x"))));
    view.button("Copy")?.click();
    await vi.waitFor(() => expect(view.find("[role=alert]").textContent).toContain("by hand"));
  });

  test("Regenerate asks for a sibling, and siblings can be paged", () => {
    const state = talk(question, message("a2", "assistant", "Second"));
    const first = message("a1", "assistant", "First", { parent_id: "u1" });
    const messages = new Map([["a1", first], ...(state.messages ?? [])]);
    const view = show(new FakeChat({ ...state, messages }));
    view.button("Regenerate")?.click();
    expect(view.find(".kernelchat-branches").textContent).toContain("2/2");
    expect(view.button("Next version")?.disabled).toBe(true);
    view.button("Previous version")?.click();
    expect(view.chat.commands).toEqual([
      { type: "regenerate", message_id: "a2" },
      { type: "select", message_id: "a1" },
    ]);
  });

  test("a thumb is given, and taken back", async () => {
    const view = show(new FakeChat(talk(question, message("a1", "assistant", "x"))));
    view.button("Good answer")?.click();
    view.chat.patch("a1", { feedback: "up" });
    await vi.waitFor(() =>
      expect(view.button("Good answer")?.getAttribute("aria-pressed")).toBe("true"),
    );
    view.button("Good answer")?.click();
    expect(view.chat.commands).toEqual([
      { type: "feedback", message_id: "a1", value: "up" },
      { type: "feedback", message_id: "a1", value: null },
    ]);
  });

  test("an image is fetched when its box is pressed, not before", () => {
    const text = "![pic](https://i.example/a.png)";
    const view = show(new FakeChat(talk(question, message("a1", "assistant", text))));
    expect(view.host.querySelector("img")).toBeNull();
    view.button("pic · image from i.example · click to load")?.click();
    expect(view.host.querySelector("img")?.src).toBe("https://i.example/a.png");
  });
});
