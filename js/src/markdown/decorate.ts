/**
 * What we put into an answer ourselves: bars on code, boxes for images, hosts beside links. Pure
 * DOM without listeners, so that equal text gives equal nodes; `view/content` handles the clicks.
 * Elements that add words of ours bear `data-kernelchat-own`.
 */

import type { Labels } from "./labels";
import { destination, names } from "./links";

/** Marks what is ours, so that the rest of the content is the model's text and nothing else. */
export const OWN = "data-kernelchat-own";

/** A code block under its bar; `code` is text, or the coloured fragment. */
export function codeBlock(label: string, code: string | Node, labels: Labels): HTMLElement {
  const block = element("div", "kernelchat-code");
  const bar = own("div", "kernelchat-code-bar");
  const name = element("span", "");
  name.textContent = label || labels.code;
  const copy = element("button", "kernelchat-code-copy");
  copy.type = "button";
  copy.textContent = labels.copy;
  bar.append(name, copy);
  const pre = element("pre", "");
  // It scrolls sideways: the keyboard must reach it.
  pre.tabIndex = 0;
  const body = element("code", "");
  body.append(code);
  pre.append(body);
  block.append(bar, pre);
  return block;
}

/** A remote image is how data leaks: it stays a labelled button until somebody asks for it. */
export function imageBox(url: URL, alt: string, labels: Labels): HTMLElement {
  const box = own("button", "kernelchat-image-box");
  box.type = "button";
  box.setAttribute("data-kernelchat-src", url.href);
  box.setAttribute("data-kernelchat-alt", alt);
  box.textContent = (alt ? `${alt} · ` : "") + labels.image(url.host);
  return box;
}

/** The image that a box stood for, once the reader asked. */
export function loadedImage(box: Element): HTMLImageElement {
  const image = own("img", "kernelchat-image");
  const src = box.getAttribute("data-kernelchat-src") ?? "";
  image.alt = box.getAttribute("data-kernelchat-alt") ?? "";
  image.setAttribute("data-kernelchat-src", src);
  image.referrerPolicy = "no-referrer";
  image.src = src;
  return image;
}

/** Opens outside, tells nothing about this page, and says where it leads when its text does not. */
export function shownDestination(link: HTMLAnchorElement): void {
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  const url = new URL(link.href);
  if (names(link.textContent ?? "", url)) return;
  const host = own("span", "kernelchat-host");
  host.textContent = ` (${destination(url)})`;
  link.append(host);
}

export function scrollingTable(table: HTMLTableElement): void {
  const frame = element("div", "kernelchat-table");
  frame.tabIndex = 0;
  table.replaceWith(frame);
  frame.append(table);
}

function own<K extends keyof HTMLElementTagNameMap>(name: K, className: string) {
  const created = element(name, className);
  created.setAttribute(OWN, "");
  return created;
}

function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  className: string,
): HTMLElementTagNameMap[K] {
  const created = document.createElement(name);
  if (className) created.className = className;
  return created;
}
