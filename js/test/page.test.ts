import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Chat, OptionsSource } from "../src/state/types";
import { mount } from "../src/view/mount";

vi.mock("../src/view/mount", () => ({ mount: vi.fn(() => () => undefined) }));

const ACCESS = {
  token: "secret",
  session_id: "s1",
  instance: "k1",
  config: { title: "Tutor", theme: "auto", lang: "en", speed: 0 },
};

type Handler = (url: string, init: RequestInit) => Response | Promise<Response>;

const fetched: { url: string; init: RequestInit }[] = [];
let answer: Handler;

beforeEach(() => {
  vi.resetModules();
  vi.mocked(mount).mockClear();
  fetched.length = 0;
  answer = () => new Promise(() => undefined);
  vi.stubGlobal("fetch", (url: string, init: RequestInit) => {
    fetched.push({ url, init });
    return Promise.resolve(answer(url, init));
  });
  window.sessionStorage.clear();
  window.history.replaceState(null, "", "/");
  document.body.innerHTML = '<div id="chat"></div>';
});

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Loads the page as a browser would, at that address. */
async function open(hash = ""): Promise<string> {
  window.location.hash = hash;
  await import("../src/page");
  await new Promise((resolve) => setTimeout(resolve));
  return document.body.textContent ?? "";
}

function mounted(): [HTMLElement, Chat, OptionsSource] {
  const found = vi.mocked(mount).mock.calls.at(-1);
  if (found === undefined) throw new Error("nothing was mounted");
  return found;
}

const exchange: Handler = (url) =>
  url === "/api/exchange" ? Response.json(ACCESS) : new Promise(() => undefined);

describe("a link", () => {
  it("is exchanged once for a token, which opens the chat", async () => {
    answer = exchange;
    await open("#code=abc");
    expect(fetched[0]?.url).toBe("/api/exchange");
    expect(JSON.parse(String(fetched[0]?.init.body))).toEqual({ code: "abc" });
    const [el, chat, options] = mounted();
    expect(el.id).toBe("chat");
    expect(chat.sessionId).toBe("s1");
    expect(chat.connection()).toEqual({
      phase: "connecting",
      transport: "direct",
      waiting: false,
    });
    expect(options.get()).toMatchObject({ title: "Tutor", lang: "en", height: window.innerHeight });
    expect(document.title).toBe("Tutor");
    expect(fetched[1]?.url).toBe("/api/events");
    expect(new Headers(fetched[1]?.init.headers).get("authorization")).toBe("Bearer secret");
  });

  it("leaves no code in the address and no token in the page", async () => {
    answer = exchange;
    await open("#code=abc");
    expect(window.location.hash).toBe("");
    expect(window.location.href).not.toContain("abc");
    expect(document.documentElement.outerHTML).not.toContain("secret");
    expect(window.localStorage.length).toBe(0);
  });

  it("survives a reload", async () => {
    answer = exchange;
    await open("#code=abc");
    vi.resetModules();
    vi.mocked(mount).mockClear();
    fetched.length = 0;
    await open();
    expect(fetched.map(({ url }) => url)).toEqual(["/api/events"]);
    expect(mounted()[1].sessionId).toBe("s1");
  });

  it("that was used already is a clear sentence", async () => {
    answer = () => Response.json({ error: { kind: "auth", message: "used" } }, { status: 401 });
    expect(await open("#code=abc")).toContain("This link was used already.");
    expect(mount).not.toHaveBeenCalled();
    expect(document.querySelector("[role=alert]")).not.toBeNull();
  });

  it("that was used in this tab still opens its chat", async () => {
    window.sessionStorage.setItem("kernelchat/1", JSON.stringify(ACCESS));
    answer = (url) =>
      url === "/api/exchange"
        ? Response.json({ error: { kind: "auth", message: "used" } }, { status: 401 })
        : new Promise<Response>(() => undefined);
    await open("#code=abc");
    expect(mounted()[1].sessionId).toBe("s1");
  });

  it("is asked for where there is none", async () => {
    expect(await open()).toContain("chat.link()");
    expect(fetched).toEqual([]);
  });

  it("whose kernel is gone says so, in the reader's language", async () => {
    vi.spyOn(navigator, "language", "get").mockReturnValue("zh-CN");
    answer = () => Promise.reject(new TypeError("Failed to fetch"));
    expect(await open("#code=abc")).toContain("无法连接此聊天的内核");
    expect(document.documentElement.lang).toBe("zh");
    vi.restoreAllMocks();
  });
});

describe("another conversation", () => {
  const asked: unknown[] = [];
  const turning: Handler = (url, init) => {
    if (!url.endsWith("/kept")) return new Promise<Response>(() => undefined);
    asked.push([url, JSON.parse(String(init.body))]);
    return Response.json({ session_id: "s2" });
  };

  beforeEach(() => {
    asked.length = 0;
    answer = turning;
    window.sessionStorage.setItem("kernelchat/1", JSON.stringify(ACCESS));
  });

  it("is shown in the same view, and after a reload", async () => {
    await open();
    const [, chat] = mounted();
    const changed = vi.fn();
    chat.subscribe(changed);
    await chat.kept?.show(null);
    expect(asked).toEqual([["/api/sessions/s1/kept", { action: "new", widget_id: "" }]]);
    expect(chat.sessionId).toBe("s2");
    expect(changed).toHaveBeenCalled();
    expect(mount).toHaveBeenCalledOnce();
    vi.resetModules();
    await open();
    expect(mounted()[1].sessionId).toBe("s2");
  });

  it.each([
    ["s1", "s2"],
    ["s3", "s1"],
  ])("follows the deletion of the one that is shown, and of no other: %s", async (id, shown) => {
    await open();
    await mounted()[1].kept?.delete(id);
    expect(mounted()[1].sessionId).toBe(shown);
  });
});

describe("a chat whose token is not known any more", () => {
  it("says that its kernel is gone", async () => {
    window.sessionStorage.setItem("kernelchat/1", JSON.stringify(ACCESS));
    answer = () => Response.json({ error: { kind: "auth", message: "No." } }, { status: 401 });
    expect(await open()).toContain("The kernel of this chat cannot be reached.");
  });
});
