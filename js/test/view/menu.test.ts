import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Kept, KeptSession } from "../../src/state/types";
import { ago } from "../../src/view/ago";
import { FakeChat, show, type View } from "./fake";

const NOW = 1_764_000_000_000;
const HOUR = 3_600_000;

const kept = (session_id: string, title: string, hours = 0): KeptSession => ({
  session_id,
  title,
  updated_at: Date.now() - hours * HOUR,
  messages: 2,
});

class KeptChat extends FakeChat {
  sessions = [kept("s1", "The first"), kept("s2", "The second", 3)];
  readonly asked: unknown[][] = [];
  refuses: Error | undefined;
  readonly kept: Kept = {
    list: async () => this.sessions,
    show: (id) => this.ask("show", id),
    rename: (id, title) => this.ask("rename", id, title),
    delete: async (id) => {
      await this.ask("delete", id);
      this.sessions = this.sessions.filter((one) => one.session_id !== id);
    },
  };

  private async ask(...asked: unknown[]): Promise<void> {
    this.asked.push(asked);
    if (this.refuses) throw this.refuses;
  }
}

const opener = (view: View) => view.button("Menu") ?? view.button("菜单");
const panel = (view: View) => view.host.querySelector<HTMLElement>("[role=dialog]");
const rows = (view: View) =>
  [...view.host.querySelectorAll(".kernelchat-kept")].map(({ textContent }) => textContent);

/** A chat with its menu open and its list there. */
async function opened(chat: FakeChat = new KeptChat(), options = {}): Promise<View> {
  const view = show(chat, options);
  opener(view)?.click();
  await vi.waitFor(() => expect(panel(view)?.contains(document.activeElement)).toBe(true));
  if (chat instanceof KeptChat) await vi.waitFor(() => expect(rows(view)).not.toEqual([]));
  return view;
}

function press(key: string, init: KeyboardEventInit = {}): KeyboardEvent {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...init });
  const { activeElement: host } = document;
  (host?.shadowRoot?.activeElement ?? host)?.dispatchEvent(event);
  return event;
}

beforeEach(() => {
  document.body.replaceChildren();
});

afterEach(() => {
  vi.useRealTimers();
});

describe("the menu", () => {
  test("opens, takes the focus, and gives it back on Escape", async () => {
    const view = show(new KeptChat({ status: "writing" }));
    const button = opener(view);
    expect(button?.getAttribute("aria-haspopup")).toBe("dialog");
    expect(button?.getAttribute("aria-expanded")).toBe("false");
    button?.click();
    await vi.waitFor(() => expect(document.activeElement?.textContent).toBe("New chat"));
    expect(button?.getAttribute("aria-expanded")).toBe("true");
    press("Escape");
    await vi.waitFor(() => expect(panel(view)).toBeNull());
    expect(document.activeElement).toBe(button);
    // That Escape was the menu's: it stopped no answer.
    expect(view.chat.commands).toEqual([]);
  });

  test("opens by the arrow keys, which go round in it", async () => {
    const view = show(new KeptChat());
    opener(view)?.focus();
    press("ArrowDown");
    await vi.waitFor(() => expect(document.activeElement?.textContent).toBe("New chat"));
    await vi.waitFor(() => expect(rows(view)).toHaveLength(2));
    press("ArrowDown");
    expect(document.activeElement?.textContent).toContain("The first");
    press("ArrowUp");
    press("ArrowUp");
    expect(document.activeElement?.textContent).toBe("中文");
    press("ArrowDown");
    expect(document.activeElement?.textContent).toBe("New chat");
  });

  test("closes when the focus goes elsewhere, and only then", async () => {
    const view = await opened();
    view.button("Rename: The second")?.focus();
    expect(panel(view)).not.toBeNull();
    view.box.focus();
    await vi.waitFor(() => expect(panel(view)).toBeNull());
    expect(document.activeElement).toBe(view.box);
  });

  test("works in a shadow root", async () => {
    const shadow = document.body
      .appendChild(document.createElement("div"))
      .attachShadow({ mode: "open" });
    const host = shadow.appendChild(document.createElement("div"));
    const view = show(new KeptChat(), {}, host);
    opener(view)?.click();
    await vi.waitFor(() => expect(shadow.activeElement?.textContent).toBe("New chat"));
    await vi.waitFor(() => expect(rows(view)).toHaveLength(2));
    press("ArrowDown");
    expect(shadow.activeElement?.textContent).toContain("The first");
    press("Escape");
    await vi.waitFor(() => expect(panel(view)).toBeNull());
  });

  test("speaks another language in this view only", async () => {
    const chat = new KeptChat();
    const [view, other] = [await opened(chat), show(chat)];
    view.button("中文")?.click();
    await vi.waitFor(() => expect(view.root.lang).toBe("zh-CN"));
    expect(view.button("中文")?.getAttribute("aria-pressed")).toBe("true");
    expect(panel(view)?.textContent).toContain("新对话");
    expect(rows(view)[1]).toContain("3小时前");
    expect(other.root.lang).toBe("en");
    view.button("自动")?.click();
    await vi.waitFor(() => expect(view.root.lang).toBe("en"));
  });

  test.each([
    ["of a chat that has no other conversations", new FakeChat(), {}],
    ["of a chat that is closed", new KeptChat({ status: "closed" }), {}],
    ["whose kernel is gone", new KeptChat(), { phase: "gone" as const }],
  ])("%s has the language only", async (_name, chat, connection) => {
    chat.set({}, connection);
    const view = show(chat);
    opener(view)?.click();
    await vi.waitFor(() => expect(panel(view)?.textContent).toBe("AutoEnglish中文"));
  });
});

describe("the conversations", () => {
  test("stand with their times, the one that is shown marked", async () => {
    const view = await opened();
    expect(rows(view)).toEqual(["The first now", "The second 3 hr. ago"]);
    const shown = view.host.querySelectorAll(".kernelchat-kept[aria-current=true]");
    expect([...shown].map(({ textContent }) => textContent)).toEqual(["The first now"]);
  });

  test("are none at first", async () => {
    const chat = new KeptChat();
    chat.sessions = [];
    const view = show(chat);
    opener(view)?.click();
    await vi.waitFor(() => expect(panel(view)?.textContent).toContain("Nothing was said yet."));
  });

  test.each([
    ["New chat", null],
    ["The second 3 hr. ago", "s2"],
  ])("a click on %s shows it and leaves for the composer", async (name, id) => {
    const chat = new KeptChat();
    const view = await opened(chat);
    view.type("a draft");
    view.button(name)?.click();
    await vi.waitFor(() => expect(panel(view)).toBeNull());
    expect(chat.asked).toEqual([["show", id]]);
    expect(document.activeElement).toBe(view.box);
    expect(view.box.value).toBe("a draft");
  });

  test("are renamed in their place", async () => {
    const chat = new KeptChat();
    const view = await opened(chat);
    view.button("Rename: The second")?.click();
    await vi.waitFor(() => expect(view.host.querySelector("input")).not.toBeNull());
    const input = view.find("input") as HTMLInputElement;
    expect(input.value).toBe("The second");
    input.focus();
    input.value = "Number two";
    press("Enter", { isComposing: true });
    expect(chat.asked).toEqual([]);
    press("Enter");
    await vi.waitFor(() => expect(view.host.querySelector("input")).toBeNull());
    expect(chat.asked).toEqual([["rename", "s2", "Number two"]]);
    expect(panel(view)).not.toBeNull();
  });

  test("keep their title on Escape, and the menu stays", async () => {
    const chat = new KeptChat();
    const view = await opened(chat);
    view.button("Rename: The first")?.click();
    await vi.waitFor(() => expect(view.host.querySelector("input")).not.toBeNull());
    view.find("input").focus();
    press("Escape");
    await vi.waitFor(() => expect(view.host.querySelector("input")).toBeNull());
    expect(chat.asked).toEqual([]);
    expect(panel(view)).not.toBeNull();
  });

  test("are deleted at the second click", async () => {
    const chat = new KeptChat();
    const view = await opened(chat);
    const button = view.button("Delete: The second");
    button?.focus();
    button?.click();
    await vi.waitFor(() => expect(view.button("Delete for good?: The second")).toBe(button));
    expect(chat.asked).toEqual([]);
    button?.click();
    await vi.waitFor(() => expect(rows(view)).toEqual(["The first now"]));
    expect(chat.asked).toEqual([["delete", "s2"]]);
    expect(panel(view)).not.toBeNull();
  });

  test("are listed anew once the chat has turned from one that was deleted", async () => {
    const chat = new KeptChat();
    const view = await opened(chat);
    const list = vi.spyOn(chat.kept, "list");
    view.button("Delete: The first")?.click();
    await vi.waitFor(() => expect(view.button("Delete for good?: The first")).toBeDefined());
    view.button("Delete for good?: The first")?.click();
    await vi.waitFor(() => expect(chat.sessions).toHaveLength(1));
    expect(list).not.toHaveBeenCalled();
    chat.sessionId = "s9";
    chat.set({});
    await vi.waitFor(() => expect(rows(view)).toEqual(["The second 3 hr. ago"]));
  });

  test("of one row only is asked at a time", async () => {
    const chat = new KeptChat();
    const view = await opened(chat);
    view.button("Delete: The second")?.click();
    await vi.waitFor(() => expect(view.button("Delete for good?: The second")).toBeDefined());
    view.button("Delete: The first")?.click();
    await vi.waitFor(() => expect(view.button("Delete for good?: The first")).toBeDefined());
    expect(view.button("Delete: The second")).toBeDefined();
    expect(chat.asked).toEqual([]);
  });

  test("what the kernel says against it stands beside the composer", async () => {
    const chat = new KeptChat();
    chat.refuses = new Error("Another chat shows this conversation.");
    const view = await opened(chat);
    view.button("The second 3 hr. ago")?.click();
    await vi.waitFor(() =>
      expect(view.find(".kernelchat-notice").textContent).toContain("Another chat shows"),
    );
  });
});

describe("how long ago", () => {
  test.each([
    [0, "now", "现在"],
    [-5_000, "now", "现在"],
    [59_000, "now", "现在"],
    [60_000, "1 min. ago", "1分钟前"],
    [HOUR - 1, "59 min. ago", "59分钟前"],
    [26 * HOUR, "yesterday", "昨天"],
    [40 * 24 * HOUR, "last mo.", "上个月"],
    [800 * 24 * HOUR, "2 yr. ago", "2年前"],
  ])("%d ms", (passed, english, chinese) => {
    expect(ago(NOW - passed, "en", NOW)).toBe(english);
    expect(ago(NOW - passed, "zh", NOW)).toBe(chinese);
  });
});
