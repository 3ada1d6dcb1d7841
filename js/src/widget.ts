/** The anywidget module: the only file that touches `model`. */

import type { AnyModel, InitializeProps, RenderProps } from "@anywidget/types";
import { onLook, pageFacts } from "./host";
import { OPTION_NAMES, readOptions } from "./options";
import type { OptionsSource } from "./state/types";
import { KernelChat } from "./transport/chat";
import type { CommPort } from "./transport/comm";
import { CurrentChat } from "./transport/current";
import { sharedHub } from "./transport/hub";
import { candidates, type TransportChoice } from "./transport/probe";
import { mount } from "./view/mount";
import { hideTranscript } from "./view/transcript";

/** The traits of JS.md; all flow from the kernel to the page. */
interface Traits {
  port: number;
  instance: string;
  session_id: string;
  widget_id: string;
  start: number;
  transport_choice: TransportChoice;
  /** The class of the notebook's own output of the talk. */
  transcript: string;
  [option: string]: unknown;
}

type Model = AnyModel<Traits>;

/**
 * One chat for each widget, however many views show it. By the widget's id: hosts hand a new proxy
 * of the model to every call, and some load this module once for all widgets.
 */
const chats = new Map<string, CurrentChat>();

function commPort(model: Model): CommPort {
  return {
    send: (content) => model.send(content),
    onMessage(listener) {
      model.on("msg:custom", listener);
      return () => model.off("msg:custom", listener);
    },
  };
}

function connect(model: Model): KernelChat {
  const instance = model.get("instance");
  const choice = model.get("transport_choice");
  const port = model.get("port");
  const http = port !== 0 && choice !== "comm";
  return new KernelChat({
    sessionId: model.get("session_id"),
    instance,
    widgetId: model.get("widget_id"),
    comm: commPort(model),
    // A chat that insists on one transport must not be led over another one's road.
    hub: http ? sharedHub(choice === "auto" ? instance : `${instance} ${choice}`) : null,
    fetch: (url, init) => fetch(url, init),
    origin: window.location.origin,
    start: model.get("start"),
    candidates: () => candidates(pageFacts(), port, choice),
  });
}

function optionsOf(model: Model): OptionsSource {
  const events = OPTION_NAMES.map((name) => `change:${name}` as const);
  return {
    get: () => readOptions((name) => model.get(name)),
    subscribe(listener) {
      for (const event of events) model.on(event, listener);
      return () => {
        for (const event of events) model.off(event, listener);
      };
    },
  };
}

/** Not async: the host gives a widget two seconds, and a busy kernel may answer in an hour. */
function initialize({ model }: InitializeProps<Traits>): () => void {
  const id = model.get("widget_id");
  const chat = new CurrentChat(() => connect(model));
  chats.get(id)?.close();
  chats.set(id, chat);
  const look = () => chat.look();
  const unlook = onLook(look);
  // ipywidgets says so when the kernel restarts; a look then finds out what is left.
  model.on("comm_live_update", look);
  const turn = () => chat.turn();
  model.on("change:session_id", turn);
  return () => {
    unlook();
    model.off("comm_live_update", look);
    model.off("change:session_id", turn);
    chat.close();
    if (chats.get(id) === chat) chats.delete(id);
  };
}

function render({ model, el }: RenderProps<Traits>): () => void {
  const chat = chats.get(model.get("widget_id"));
  if (chat === undefined)
    throw new Error("kernelchat: a view without its widget: run the cell again.");
  const unmount = mount(el, chat, optionsOf(model));
  const hide = () => hideTranscript(model.get("transcript"), chat);
  let show = hide();
  const hideOther = () => {
    show();
    show = hide();
  };
  model.on("change:transcript", hideOther);
  return () => {
    model.off("change:transcript", hideOther);
    show();
    unmount();
  };
}

export default { initialize, render };
