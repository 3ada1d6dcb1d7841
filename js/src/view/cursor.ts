/** The blinking cursor behind the last character of an answer. */

import { OWN } from "../markdown/decorate";

/** `look`: "" for a drawn bar, "none" for nothing, else the character itself. */
export function createCursor(look: string): HTMLElement | undefined {
  if (look === "none") return undefined;
  const cursor = document.createElement("span");
  cursor.className = look ? "kernelchat-cursor" : "kernelchat-cursor kernelchat-cursor-bar";
  cursor.setAttribute(OWN, "");
  cursor.setAttribute("aria-hidden", "true");
  cursor.textContent = look;
  return cursor;
}

/** Puts `cursor` behind the last visible character, be it in a list, a table or a code block. */
export function placeCursor(root: HTMLElement, cursor: HTMLElement): void {
  const last = lastText(root);
  if (last) last.after(cursor);
  else root.append(cursor);
}

function lastText(node: Node): ChildNode | undefined {
  if (node instanceof Text) return node.data.trim() ? node : undefined;
  if (node instanceof Element && node.hasAttribute(OWN)) return undefined;
  for (let child = node.lastChild; child; child = child.previousSibling) {
    const found = lastText(child);
    if (found) return found;
  }
  return undefined;
}
