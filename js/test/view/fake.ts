/** A chat without a kernel, a view of it, and ways to press its buttons. */

import { vi } from "vitest";
import type {
  Chat,
  ChatState,
  CommandRequest,
  Connection,
  Message,
  Role,
  ViewOptions,
} from "../../src/state/types";
import { mount } from "../../src/view/mount";

export function message(
  id: string,
  role: Role,
  text: string,
  extra: Partial<Message> = {},
): Message {
  return {
    id,
    role,
    text,
    parent_id: null,
    status: "done",
    reasoning: "",
    tools: [],
    finish_reason: null,
    usage: null,
    timing: null,
    error: null,
    feedback: null,
    attachments: [],
    citations: [],
    created_at: 0,
    tokens: 0,
    ...extra,
  };
}

/** The messages one below the other. */
export function talk(...messages: Message[]): Partial<ChatState> {
  const chain = messages.map((item, index) => ({
    ...item,
    parent_id: messages[index - 1]?.id ?? null,
  }));
  return {
    messages: new Map(chain.map((item) => [item.id, item])),
    leafId: messages.at(-1)?.id ?? null,
  };
}

export const question = message("u1", "user", "Why?");

export class FakeChat implements Chat {
  sessionId = "s1";
  readonly commands: CommandRequest[] = [];
  /** What the next command is answered with, if it is refused. */
  refusal: { kind: string; message: string } | undefined;
  earlier = vi.fn(async () => {});
  private current: ChatState;
  private link: Connection = { phase: "open", transport: "direct", waiting: false };
  private readonly listeners = new Set<() => void>();

  constructor(state: Partial<ChatState> = {}) {
    this.current = {
      cursor: 1,
      messages: new Map(),
      leafId: null,
      status: "idle",
      retryAt: null,
      hasMore: false,
      notices: [],
      ...state,
    };
  }

  state(): ChatState {
    return this.current;
  }

  connection(): Connection {
    return this.link;
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async command(request: CommandRequest): Promise<void> {
    this.commands.push(request);
    const { refusal } = this;
    this.refusal = undefined;
    if (refusal) throw refusal;
  }

  loadEarlier(): Promise<void> {
    return this.earlier();
  }

  set(state: Partial<ChatState>, connection: Partial<Connection> = {}): void {
    this.current = { ...this.current, ...state };
    this.link = { ...this.link, ...connection };
    for (const listener of this.listeners) listener();
  }

  patch(id: string, changes: Partial<Message>, state: Partial<ChatState> = {}): void {
    const before = this.current.messages.get(id);
    if (!before) throw new Error(`No message ${id}.`);
    const messages = new Map(this.current.messages).set(id, { ...before, ...changes });
    this.set({ messages, ...state });
  }
}

const defaults: ViewOptions = {
  title: "",
  avatar: "",
  user_avatar: "",
  greeting: "",
  prompts: [],
  lang: "en",
  theme: "light",
  height: 480,
  speed: 0,
  cursor: "",
  input: true,
  model_label: "",
  model_connected: true,
};

export interface View {
  readonly host: HTMLElement;
  readonly root: HTMLElement;
  readonly box: HTMLTextAreaElement;
  readonly chat: FakeChat;
  setOptions(options: Partial<ViewOptions>): void;
  unmount(): void;
  button(name: string): HTMLButtonElement | undefined;
  /** An element of the view; throws without one. */
  find(selector: string): HTMLElement;
  content(id: string): string;
  type(text: string): void;
  press(key: string, init?: KeyboardEventInit): KeyboardEvent;
}

export function show(
  chat: FakeChat,
  options: Partial<ViewOptions> = {},
  host: HTMLElement = document.body.appendChild(document.createElement("div")),
): View {
  let current = { ...defaults, ...options };
  const listeners = new Set<() => void>();
  const unmount = mount(host, chat, {
    get: () => ({ ...current }),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  });
  const find = (selector: string): HTMLElement => {
    const found = host.querySelector<HTMLElement>(selector);
    if (!found) throw new Error(`Nothing matches ${selector}.`);
    return found;
  };
  return {
    host,
    chat,
    unmount,
    find,
    get root() {
      return find(".kernelchat");
    },
    get box() {
      return find("textarea") as HTMLTextAreaElement;
    },
    setOptions(changes) {
      current = { ...current, ...changes };
      for (const listener of listeners) listener();
    },
    button(name) {
      return [...host.querySelectorAll("button")].find(
        (button) => (button.getAttribute("aria-label") ?? button.textContent?.trim()) === name,
      );
    },
    content(id) {
      return find(`[data-message-id="${id}"] .kernelchat-content`).textContent ?? "";
    },
    type(text) {
      const box = find("textarea") as HTMLTextAreaElement;
      box.value = text;
      box.dispatchEvent(new Event("input", { bubbles: true }));
    },
    press(key, init = {}) {
      const event = new KeyboardEvent("keydown", {
        key,
        bubbles: true,
        cancelable: true,
        composed: true,
        ...init,
      });
      find("textarea").dispatchEvent(event);
      return event;
    },
  };
}
