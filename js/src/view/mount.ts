/** Puts a view of `chat` into `el`. */

import { h, render } from "preact";
import type { Chat, OptionsSource } from "../state/types";
import { App } from "./app";
import { contentStyles } from "./content-styles";
import { styles } from "./styles";

const STYLE = "data-kernelchat-style";

/** Returns what takes the view away again; `chat` itself goes on. */
export function mount(el: HTMLElement, chat: Chat, options: OptionsSource): () => void {
  const stopStyling = keepStyled(el);
  render(h(App, { chat, source: options }), el);
  return () => {
    stopStyling();
    render(null, el);
  };
}

/** Hosts may draw first and put `el` into the page, or into a shadow root, afterwards. */
function keepStyled(el: HTMLElement): () => void {
  addStyles(el);
  if (el.isConnected || typeof ResizeObserver === "undefined") return () => {};
  const observer = new ResizeObserver(() => {
    if (!el.isConnected) return;
    addStyles(el);
    observer.disconnect();
  });
  observer.observe(el);
  return () => observer.disconnect();
}

/** Once per document or shadow root; all views in it share them. */
function addStyles(el: HTMLElement): void {
  const root = el.getRootNode();
  const home = root instanceof ShadowRoot ? root : document.head;
  if (home.querySelector(`style[${STYLE}]`)) return;
  const style = document.createElement("style");
  style.setAttribute(STYLE, "");
  // The build leaves out what stands there all the time.
  const whole = (styles + contentStyles).replaceAll(".-", ".kernelchat-");
  style.textContent = whole.replaceAll("^", "var(--");
  home.append(style);
}
