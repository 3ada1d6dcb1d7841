import type { InitializeProps, RenderProps } from "@anywidget/types";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Chat, OptionsSource } from "../src/state/types";
import { mount } from "../src/view/mount";
import widget from "../src/widget";

vi.mock("../src/view/mount", () => ({ mount: vi.fn(() => () => undefined) }));

const TRAITS = {
  _v: 1,
  port: 0,
  instance: "k1",
  session_id: "s1",
  widget_id: "w1",
  transport_choice: "auto",
  title: "Tutor",
  avatar: "",
  user_avatar: "",
  greeting: "Ask me",
  prompts: ["one", "two"],
  lang: "zh",
  theme: "dark",
  height: 300,
  speed: -1,
  cursor: "_",
  input: false,
  model_label: "offline",
  model_connected: true,
};

type Traits = Record<string, unknown>;

/** A widget's model as the host has it; each call of `proxy` is another object, as in anywidget. */
class Model {
  readonly sent: Traits[] = [];
  readonly traits: Traits;
  private readonly listeners = new Map<string, Set<(content?: unknown) => void>>();

  constructor(traits: Traits = {}) {
    this.traits = { ...TRAITS, ...traits };
  }

  get listening(): number {
    return [...this.listeners.values()].reduce((count, set) => count + set.size, 0);
  }

  set(name: string, value: unknown): void {
    this.traits[name] = value;
    this.trigger(`change:${name}`);
  }

  trigger(name: string, content?: unknown): void {
    for (const listener of [...(this.listeners.get(name) ?? [])]) listener(content);
  }

  proxy(): never {
    return {
      get: (name: string) => this.traits[name],
      send: (content: Traits) => this.sent.push(content),
      on: (name: string, listener: () => void) => {
        const set = this.listeners.get(name) ?? new Set();
        this.listeners.set(name, set.add(listener));
      },
      off: (name: string, listener: () => void) => this.listeners.get(name)?.delete(listener),
      set: () => {
        throw new Error("the page sets no trait");
      },
    } as never;
  }
}

const initialize = (model: Model) =>
  widget.initialize({ model: model.proxy() } as unknown as InitializeProps as never) as () => void;
const render = (model: Model, el = document.createElement("div")) =>
  widget.render({ model: model.proxy(), el } as unknown as RenderProps as never);

function mounted(call = -1): [HTMLElement, Chat, OptionsSource] {
  const found = vi.mocked(mount).mock.calls.at(call);
  if (found === undefined) throw new Error("nothing was mounted");
  return found;
}

const ended: (() => void)[] = [];

beforeEach(() => {
  vi.mocked(mount).mockClear();
});

afterEach(() => {
  for (const end of ended.splice(0)) end();
});

describe("initialize", () => {
  it("says hello at once and waits for nobody", () => {
    const model = new Model();
    const end = initialize(model);
    ended.push(end);
    expect(end).toBeTypeOf("function");
    expect(model.sent).toEqual([
      {
        type: "hello",
        view: expect.stringMatching(/^[0-9a-f]{32}$/),
        session_id: "s1",
        after: null,
        origin: "http://localhost:3000",
        transport: "comm",
      },
    ]);
  });

  it("looks again on focus, and when the comm says that it changed", () => {
    const model = new Model();
    ended.push(initialize(model));
    window.dispatchEvent(new Event("focus"));
    expect(model.sent).toHaveLength(2);
    model.trigger("comm_live_update");
    expect(model.sent).toHaveLength(3);
  });

  it("leaves nothing behind when the widget is closed", () => {
    const model = new Model();
    const end = initialize(model);
    end();
    expect(model.listening).toBe(0);
    window.dispatchEvent(new Event("focus"));
    expect(model.sent).toHaveLength(1);
    expect(() => render(model)).toThrow("run the cell again");
  });
});

describe("render", () => {
  it("hides the notebook's output of the talk that it shows, and of no other", () => {
    const one = "kernelchat-transcript-0000000000000001";
    const two = "kernelchat-transcript-0000000000000002";
    const model = new Model({ transcript: one });
    ended.push(initialize(model));
    const unmount = render(model) as unknown as () => void;
    const hidden = () =>
      [...document.head.querySelectorAll("style")].map((style) => style.textContent).join();
    expect(hidden()).toBe("");
    model.trigger("msg:custom", { type: "frame", v: 1, after: null, events: [] });
    expect(hidden()).toContain(one);
    model.set("transcript", two);
    expect(hidden()).toContain(two);
    expect(hidden()).not.toContain(one);
    unmount();
    expect(hidden()).toBe("");
  });

  it("gives all views of a widget one chat, also through other proxies of its model", () => {
    const model = new Model();
    ended.push(initialize(model));
    render(model);
    render(model);
    expect(mounted(0)[1]).toBe(mounted(1)[1]);
    expect(mounted()[1].sessionId).toBe("s1");
    expect(model.sent).toHaveLength(1);
  });

  it("gives each widget its own", () => {
    const [one, two] = [new Model(), new Model({ widget_id: "w2", session_id: "s2" })];
    ended.push(initialize(one), initialize(two));
    render(two);
    render(one);
    expect(mounted(0)[1].sessionId).toBe("s2");
    expect(mounted(1)[1].sessionId).toBe("s1");
  });

  it("returns what takes the view away", () => {
    const model = new Model();
    ended.push(initialize(model));
    const unmount = vi.fn();
    vi.mocked(mount).mockReturnValueOnce(unmount);
    const el = document.createElement("div");
    const end = render(model, el) as () => void;
    expect(mounted()[0]).toBe(el);
    end();
    expect(unmount).toHaveBeenCalledOnce();
  });

  it("draws what comes over the comm", () => {
    const model = new Model();
    ended.push(initialize(model));
    render(model);
    const [, chat] = mounted();
    const changed = vi.fn();
    chat.subscribe(changed);
    const data = { id: 7, session_id: "s1", messages: [], leaf_id: null, status: "thinking" };
    const events = [{ event: "snapshot", data }];
    model.trigger("msg:custom", { type: "frame", v: 1, after: null, events });
    expect(chat.state().status).toBe("thinking");
    expect(changed).toHaveBeenCalledOnce();
  });
});

describe("a chat that turns to another conversation", () => {
  const snapshot = (session_id: string, status: string) => ({
    type: "frame",
    v: 1,
    after: null,
    events: [{ event: "snapshot", data: { id: 7, session_id, messages: [], status } }],
  });

  it("shows it in the views that stand, and hears of no other", () => {
    const model = new Model();
    ended.push(initialize(model));
    render(model);
    const [, chat] = mounted();
    const changed = vi.fn();
    chat.subscribe(changed);
    model.trigger("msg:custom", snapshot("s1", "thinking"));
    const listening = model.listening;
    model.traits.start = 40;
    model.set("session_id", "s2");
    expect(chat.sessionId).toBe("s2");
    expect(chat.state()).toMatchObject({ cursor: 40, status: "idle" });
    expect(changed).toHaveBeenCalledTimes(2);
    expect(model.sent.at(-1)).toMatchObject({ type: "hello", session_id: "s2", after: 40 });
    model.trigger("msg:custom", snapshot("s1", "writing"));
    expect(chat.state().status).toBe("idle");
    model.trigger("msg:custom", { ...snapshot("s2", "retrying") });
    expect(chat.state().status).toBe("idle");
    expect(model.listening).toBe(listening);
    expect(mount).toHaveBeenCalledOnce();
  });
});

describe("the options", () => {
  it("are the traits, and change with them", () => {
    const model = new Model();
    ended.push(initialize(model));
    render(model);
    const [, , options] = mounted();
    expect(options.get()).toEqual({
      title: "Tutor",
      avatar: "",
      user_avatar: "",
      greeting: "Ask me",
      prompts: ["one", "two"],
      lang: "zh",
      theme: "dark",
      height: 300,
      speed: -1,
      cursor: "_",
      input: false,
      model_label: "offline",
      model_connected: true,
    });
    const changed = vi.fn();
    const end = options.subscribe(changed);
    model.set("title", "Other");
    model.set("theme", "light");
    expect(changed).toHaveBeenCalledTimes(2);
    expect(options.get()).toMatchObject({ title: "Other", theme: "light" });
    end();
    model.set("title", "Third");
    expect(changed).toHaveBeenCalledTimes(2);
  });

  it("have a default where a trait is missing or nonsense", () => {
    const traits = { height: "tall", theme: "pink", prompts: [1], lang: undefined, input: null };
    const model = new Model(traits);
    ended.push(initialize(model));
    render(model);
    expect(mounted()[2].get()).toMatchObject({
      height: 480,
      theme: "auto",
      prompts: [],
      lang: "auto",
      input: true,
    });
  });
});

describe("HTTP", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it.each([
    ["probed at the kernel's port", { port: 4711 }, ["http://127.0.0.1:4711"]],
    ["not probed where it is off", { port: 0 }, []],
    ["not probed where the notebook wants the comm", { port: 4711, transport_choice: "comm" }, []],
  ])("is %s", async (_, traits, expected) => {
    const fetched = vi.fn((_url: string) => new Promise<Response>(() => undefined));
    vi.stubGlobal("fetch", fetched);
    const model = new Model({ instance: `k-${JSON.stringify(traits)}`, ...traits });
    ended.push(initialize(model));
    await new Promise((resolve) => setTimeout(resolve));
    expect(fetched.mock.calls.map(([url]) => new URL(url).origin)).toEqual(expected);
    expect(fetched.mock.calls.every(([url]) => url.includes("view=w1"))).toBe(true);
  });
});
