/**
 * The chat as a page of its own. The link's code, good once, is exchanged for a token; that is kept
 * for this tab only, so that a reload finds its way back and a copied address does not.
 */

import { onLook } from "./host";
import { readOptions } from "./options";
import { isFields } from "./state/message";
import type { OptionsSource } from "./state/types";
import { KernelChat } from "./transport/chat";
import { CurrentChat } from "./transport/current";
import { isRefused, isUnreachable } from "./transport/errors";
import { ask, makeRoad, requestInit } from "./transport/http";
import { Hub } from "./transport/hub";
import type { Fetch } from "./transport/sse";
import { mount } from "./view/mount";

interface Access {
  readonly token: string;
  readonly session_id: string;
  readonly instance: string;
  readonly config: Readonly<Record<string, unknown>>;
}

const STORED = "kernelchat/1";

const SAID = {
  en: {
    used: "This link was used already. Run chat.link() in the notebook for a new one.",
    none: "This page needs a link with a code. Run chat.link() in the notebook to get one.",
    gone: "The kernel of this chat cannot be reached. If it was restarted, run the cell again and make a new link with chat.link().",
  },
  zh: {
    used: "此链接已被使用。请在笔记本中运行 chat.link() 获取新链接。",
    none: "打开此页面需要带代码的链接。请在笔记本中运行 chat.link() 获取。",
    gone: "无法连接此聊天的内核。如果内核已重启，请重新运行单元格，再用 chat.link() 生成新链接。",
  },
} as const;

type Said = keyof (typeof SAID)["en"];

const send: Fetch = (url, init) => fetch(url, init);

function isAccess(value: unknown): value is Access {
  return (
    isFields(value) &&
    typeof value.token === "string" &&
    typeof value.session_id === "string" &&
    typeof value.instance === "string" &&
    isFields(value.config)
  );
}

/** The link's code; it leaves the address bar, and with it the history, at once. */
function takeCode(): string | null {
  const code = new URLSearchParams(window.location.hash.slice(1)).get("code");
  if (window.location.hash !== "") {
    window.history.replaceState(null, "", window.location.pathname + window.location.search);
  }
  return code;
}

function remembered(): Access | null {
  const text = window.sessionStorage.getItem(STORED);
  const value: unknown = text === null ? null : JSON.parse(text);
  return isAccess(value) ? value : null;
}

function remember(access: Access): void {
  window.sessionStorage.setItem(STORED, JSON.stringify(access));
}

/** Throws `Refused` for a code that is no good, `Unreachable` where the kernel is gone. */
async function exchange(code: string): Promise<Access> {
  const answer = await ask(send, "/api/exchange", {
    ...requestInit("direct"),
    method: "POST",
    headers: { Accept: "application/json", "Content-Type": "application/json" },
    body: JSON.stringify({ code }),
  });
  if (!isAccess(answer)) throw new Error("kernelchat: the exchange answered something else.");
  remember(answer);
  return answer;
}

/** What to open: a new link first, then what this tab had; else what to say instead. */
async function access(): Promise<Access | Said> {
  const code = takeCode();
  if (code === null) return remembered() ?? "none";
  try {
    return await exchange(code);
  } catch (error) {
    // The link was opened again in the tab that used it up.
    if (isRefused(error)) return remembered() ?? "used";
    if (isUnreachable(error)) return "gone";
    throw error;
  }
}

function say(el: HTMLElement, what: Said): void {
  const lang = navigator.language.startsWith("zh") ? "zh" : "en";
  document.documentElement.lang = lang;
  const paragraph = document.createElement("p");
  paragraph.className = "said";
  paragraph.setAttribute("role", "alert");
  paragraph.textContent = SAID[lang][what];
  el.replaceChildren(paragraph);
}

function open(el: HTMLElement, access: Access): void {
  const { token, instance, config } = access;
  let sessionId = access.session_id;
  const road = makeRoad({ fetch: send, base: "", transport: "direct", token, instance });
  const visible = () => document.visibilityState === "visible";
  const hub = new Hub({ only: { road, visible } });
  const connect = () =>
    new KernelChat({
      sessionId,
      instance,
      widgetId: "",
      comm: null,
      hub,
      fetch: send,
      origin: window.location.origin,
      candidates: () => Promise.resolve([]),
      turned(session_id) {
        if (session_id === sessionId) return;
        sessionId = session_id;
        remember({ ...access, session_id });
        chat.turn();
      },
    });
  const chat = new CurrentChat(connect);
  onLook(() => chat.look());
  const view = readOptions((name) => config[name]);
  const options: OptionsSource = {
    // The page is the chat's alone: as high as the window.
    get: () => ({ ...view, height: window.innerHeight }),
    subscribe(listener) {
      window.addEventListener("resize", listener);
      return () => window.removeEventListener("resize", listener);
    },
  };
  document.title = view.title || "AI Chat";
  const unmount = mount(el, chat, options);
  const unsubscribe = chat.subscribe(() => {
    // Never heard at all: a tab that was restored after its kernel had ended.
    if (chat.state().cursor !== null || chat.connection().phase !== "gone") return;
    unsubscribe();
    unmount();
    say(el, "gone");
  });
}

/** Starts the page in `el`. */
export async function start(el: HTMLElement): Promise<void> {
  const found = await access();
  if (typeof found === "string") say(el, found);
  else open(el, found);
}

const root = document.getElementById("chat");
if (root !== null) await start(root);
