import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ChatState, Connection } from "../../src/state/types";
import { FakeChat, message, question, show, talk } from "./fake";

const answered = (extra = {}) => talk(question, message("a1", "assistant", "Because.", extra));

beforeEach(() => {
  document.body.replaceChildren();
});

afterEach(() => {
  for (const { name } of [...document.body.attributes]) document.body.removeAttribute(name);
  document.documentElement.removeAttribute("lang");
});

describe("the handles that tests and styles rely on", () => {
  test("root, messages, one textarea, buttons by name", () => {
    const view = show(new FakeChat(answered()));
    expect(view.root.dataset).toMatchObject({ transport: "direct", phase: "done" });
    const messages = [...view.host.querySelectorAll<HTMLElement>("[data-message-id]")];
    expect(
      messages.map(({ dataset }) => [dataset.messageId, dataset.role, dataset.status]),
    ).toEqual([
      ["u1", "user", "done"],
      ["a1", "assistant", "done"],
    ]);
    expect(view.content("u1")).toBe("Why?");
    expect(view.content("a1")).toBe("Because.");
    expect(view.host.querySelectorAll("textarea")).toHaveLength(1);
    for (const name of ["Send", "Copy", "Regenerate"]) expect(view.button(name)).toBeDefined();
  });

  test("in Chinese", async () => {
    const view = show(new FakeChat({ ...answered(), status: "writing" }), { lang: "zh" });
    for (const name of ["发送", "停止", "复制", "重新生成"])
      expect(view.button(name)).toBeDefined();
    expect(view.root.lang).toBe("zh-CN");
    view.chat.patch("a1", { status: "failed" }, { status: "idle" });
    await vi.waitFor(() => expect(view.button("重试")).toBeDefined());
  });

  test("a question's text is not Markdown", () => {
    const view = show(new FakeChat(talk(message("u1", "user", "**a** <b>\nc"))));
    expect(view.content("u1")).toBe("**a** <b>\nc");
  });
});

const cases: [string, Partial<ChatState>, Partial<Connection>, string, string, string, string][] = [
  [
    "before anything was heard",
    {},
    { phase: "connecting" },
    "connecting",
    "disconnected",
    "Disconnected",
    "已断开",
  ],
  ["connected", {}, {}, "ready", "connected", "Connected", "已连接"],
  [
    "the model thinks",
    { status: "thinking" },
    {},
    "thinking",
    "responding",
    "Responding…",
    "响应中…",
  ],
  [
    "the model writes",
    { status: "writing" },
    {},
    "writing",
    "responding",
    "Responding…",
    "响应中…",
  ],
  [
    "the model is asked again",
    { status: "retrying" },
    {},
    "retrying",
    "responding",
    "Responding…",
    "响应中…",
  ],
  ["done", answered(), {}, "done", "connected", "Connected", "已连接"],
  ["stopped", answered({ status: "stopped" }), {}, "stopped", "connected", "Connected", "已连接"],
  ["failed", answered({ status: "failed" }), {}, "failed", "error", "Connection error", "连接错误"],
  [
    "the road broke",
    answered(),
    { phase: "lost" },
    "lost",
    "error",
    "Connection error",
    "连接错误",
  ],
  [
    "the kernel is gone",
    answered(),
    { phase: "gone" },
    "gone",
    "disconnected",
    "Disconnected",
    "已断开",
  ],
  [
    "closed",
    { ...answered(), status: "closed" },
    {},
    "closed",
    "disconnected",
    "Disconnected",
    "已断开",
  ],
];

describe("how the chat stands", () => {
  test.each(cases)("%s", async (_name, state, connection, phase, header, english, chinese) => {
    const chat = new FakeChat(state);
    chat.set({}, connection);
    const view = show(chat);
    expect(view.root.dataset.phase).toBe(phase);
    expect(view.find(".kernelchat-state").dataset.state).toBe(header);
    expect(view.find(".kernelchat-state").textContent).toBe(english);
    view.setOptions({ lang: "zh" });
    await vi.waitFor(() => expect(view.find(".kernelchat-state").textContent).toBe(chinese));
    expect(view.find(".kernelchat-phase").textContent).toMatch(/\p{sc=Han}/u);
  });

  test.each([
    ["direct", "live"],
    ["proxy", "via Jupyter"],
    ["comm", "via kernel"],
  ] as const)("the road %s is called %s", (transport, word) => {
    const chat = new FakeChat();
    chat.set({}, { transport });
    const view = show(chat);
    expect(view.root.dataset.transport).toBe(transport);
    expect(view.find(".kernelchat-road").textContent).toBe(word);
    expect(view.find(".kernelchat-road").title).toContain(transport);
  });

  test("says that it waits for a cell, and only then", async () => {
    const view = show(new FakeChat());
    expect(view.find(".kernelchat-status").textContent).not.toContain("waits");
    view.chat.set({}, { waiting: true });
    await vi.waitFor(() =>
      expect(view.find(".kernelchat-status").textContent).toContain("waits for the running cell"),
    );
  });

  test("gives the kernel's figures", () => {
    const timing = { first_token_ms: 412, total_ms: 900, tokens_per_second: 61.7 };
    const view = show(new FakeChat(answered({ timing })));
    expect(view.find(".kernelchat-status").textContent).toContain("first token 0.4 s62 tokens/s");
  });

  test("announces start and end, not each token, nor what was there before", async () => {
    const view = show(new FakeChat(answered()));
    const spoken: string[] = [];
    const voice = view.find("[role=status]");
    expect(voice.textContent).toBe("");
    new MutationObserver(() => spoken.push(voice.textContent ?? "")).observe(voice, {
      childList: true,
      characterData: true,
      subtree: true,
    });
    for (const status of ["thinking", "writing", "idle"] as const) {
      view.chat.set({ status });
      const phase = status === "idle" ? "done" : status;
      await vi.waitFor(() => expect(view.root.dataset.phase).toBe(phase));
    }
    await vi.waitFor(() =>
      expect(spoken).toEqual(["The answer is on its way", "The answer is complete"]),
    );
    expect(view.find("[role=log]").getAttribute("aria-live")).toBe("off");
  });
});

describe("options", () => {
  test("have defaults by language", () => {
    const view = show(new FakeChat(answered()));
    expect(view.find(".kernelchat-title").textContent).toBe("AI chat");
    expect(view.find(".kernelchat-avatar").textContent).toBe("AI");
    const chinese = show(new FakeChat(answered()), { lang: "zh" });
    expect(chinese.find(".kernelchat-title").textContent).toBe("智能助手");
    expect(chinese.find(".kernelchat-avatar").textContent).toBe("服");
  });

  test("change what stands there", async () => {
    const view = show(new FakeChat(answered()));
    view.setOptions({
      title: "Helper",
      avatar: "H",
      model_label: "gpt-5-mini",
      theme: "dark",
      height: 300,
    });
    await vi.waitFor(() => expect(view.find(".kernelchat-title").textContent).toBe("Helper"));
    expect(view.find(".kernelchat-avatar").textContent).toBe("H");
    expect(view.find(".kernelchat-model").textContent).toBe("gpt-5-mini");
    expect(view.root.dataset).toMatchObject({ theme: "dark", scheme: "dark" });
    expect(view.root.style.height).toBe("300px");
  });

  test("the user has an avatar when one is set, and in the classic look", () => {
    const avatars = (options: object) =>
      show(new FakeChat(answered()), options).host.querySelectorAll(
        "[data-role=user] .kernelchat-avatar",
      );
    expect(avatars({})).toHaveLength(0);
    expect(avatars({ user_avatar: "Z" })[0]?.textContent).toBe("Z");
    expect(avatars({ theme: "classic" })[0]?.textContent).toBe("U");
  });

  test.each([
    ["zh-CN", "zh-CN"],
    ["en", "en"],
    ["de", "en"],
  ])("lang auto follows the page: %s", (page, lang) => {
    document.documentElement.lang = page;
    expect(show(new FakeChat(), { lang: "auto" }).root.lang).toBe(lang);
  });

  test("theme auto follows JupyterLab and VS Code as they change", async () => {
    document.body.dataset.jpThemeLight = "false";
    const view = show(new FakeChat(), { theme: "auto" });
    expect(view.root.dataset.scheme).toBe("dark");
    document.body.dataset.jpThemeLight = "true";
    await vi.waitFor(() => expect(view.root.dataset.scheme).toBe("light"));
    document.body.removeAttribute("data-jp-theme-light");
    document.body.className = "vscode-high-contrast";
    await vi.waitFor(() => expect(view.root.dataset.scheme).toBe("dark"));
    document.body.dataset.vscodeThemeKind = "vscode-high-contrast-light";
    await vi.waitFor(() => expect(view.root.dataset.scheme).toBe("light"));
  });
});

describe("the empty chat", () => {
  test("greets and offers prompts that are sent", () => {
    const view = show(new FakeChat(), { greeting: "Hi!", prompts: ["What now?"] });
    expect(view.find(".kernelchat-empty").textContent).toContain("Hi!");
    view.button("What now?")?.click();
    expect(view.chat.commands).toEqual([{ type: "send", text: "What now?" }]);
  });

  test("says that no model is connected, and how to connect one", async () => {
    const view = show(new FakeChat(), { model_connected: false });
    expect(view.find(".kernelchat-note").textContent).toContain("OPENAI_API_KEY");
    view.setOptions({ model_connected: true });
    await vi.waitFor(() => expect(view.host.querySelector(".kernelchat-note")).toBeNull());
  });
});

describe("the page around it", () => {
  test("gets one style sheet, each shadow root its own", () => {
    show(new FakeChat());
    show(new FakeChat());
    expect(document.querySelectorAll("style[data-kernelchat-style]")).toHaveLength(1);
    const shadow = document.body
      .appendChild(document.createElement("div"))
      .attachShadow({ mode: "open" });
    const [one, two] = [document.createElement("div"), document.createElement("div")];
    shadow.append(one, two);
    show(new FakeChat(), {}, one);
    show(new FakeChat(), {}, two);
    expect(shadow.querySelectorAll("style[data-kernelchat-style]")).toHaveLength(1);
  });

  test("two views of one chat agree", async () => {
    const chat = new FakeChat(answered());
    const [one, two] = [show(chat), show(chat)];
    chat.set(talk(question, message("a9", "assistant", "Both.")));
    await vi.waitFor(() => expect(one.content("a9")).toBe("Both."));
    await vi.waitFor(() => expect(two.content("a9")).toBe("Both."));
  });

  test("hears no more after the view was taken away", async () => {
    const chat = new FakeChat(answered());
    const view = show(chat);
    const other = show(chat);
    view.unmount();
    chat.set(talk(question));
    await vi.waitFor(() => expect(other.host.querySelectorAll("article")).toHaveLength(1));
    expect(view.host.childNodes).toHaveLength(0);
  });
});

describe("what the kernel wants known", () => {
  test("stands above the composer until it is dismissed", async () => {
    const notices = [
      { id: 7, level: "warning", kind: "callback", text: "A callback failed." },
    ] as const;
    const view = show(new FakeChat({ ...answered(), notices }));
    expect(view.find(".kernelchat-notice").textContent).toContain("A callback failed.");
    view.button("Dismiss")?.click();
    await vi.waitFor(() => expect(view.host.querySelector(".kernelchat-notice")).toBeNull());
  });

  test("earlier messages are fetched when they are asked for", () => {
    const view = show(new FakeChat({ ...answered(), hasMore: true }));
    view.button("Show earlier messages")?.click();
    expect(view.chat.earlier).toHaveBeenCalledOnce();
  });
});
