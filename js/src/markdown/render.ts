/** One block token to one element: marked's HTML, purified, then dressed with what is ours. */

import { Parser, Renderer, type Token, type Tokens } from "marked";
import { codeBlock, imageBox, scrollingTable, shownDestination } from "./decorate";
import { highlight, languageLabel } from "./highlight";
import type { Labels } from "./labels";
import { imageUrl, safeUrl } from "./links";
import { purifyContent } from "./sanitise";

/** A block as text, to tell whether it changed, and as an element once it is needed. */
export interface RenderedBlock {
  readonly key: string;
  /** Undefined for a block that shows nothing, such as a link definition. */
  element(): HTMLElement | undefined;
}

interface Code {
  readonly label: string;
  readonly closed: boolean;
}

/** Leaves code and images bare and lists them in document order, which is the order of its calls. */
class PlainRenderer extends Renderer {
  readonly codes: Code[] = [];
  readonly images: string[] = [];

  override code(token: Tokens.Code): string {
    this.codes.push({ label: languageLabel(token.lang), closed: isClosedFence(token) });
    return `<pre><code>${escapeHtml(token.text.replace(/\n$/, ""))}\n</code></pre>`;
  }

  override html(token: Tokens.HTML | Tokens.Tag): string {
    return escapeHtml(token.text);
  }

  override checkbox({ checked }: Tokens.Checkbox): string {
    return checked ? "☑ " : "☐ ";
  }

  override link(token: Tokens.Link): string {
    const inner = this.parser.parseInline(token.tokens);
    const url = safeUrl(token.href);
    return url ? `<a href="${escapeHtml(url.href)}">${inner}</a>` : inner;
  }

  override image(token: Tokens.Image): string {
    this.images.push(token.href);
    return `<img alt="${escapeHtml(token.text)}">`;
  }

  override text(token: Tokens.Text | Tokens.Escape): string {
    // marked marks text of raw HTML as already escaped; with raw HTML off there is none.
    return super.text("escaped" in token ? { ...token, escaped: false } : token);
  }
}

/** `final` is false while more text may follow: then open code has no colours yet. */
export function renderBlock(token: Token, labels: Labels, final: boolean): RenderedBlock {
  const renderer = new PlainRenderer();
  const html = new Parser({ gfm: true, renderer }).parse([token]);
  const colours = (code: Code): boolean => final || code.closed;
  const extras = [renderer.codes.map((code) => [code.label, colours(code)]), renderer.images];
  return {
    key: html + JSON.stringify(extras),
    element: () => (html === "" ? undefined : build(html, renderer, labels, colours)),
  };
}

function build(
  html: string,
  { codes, images }: PlainRenderer,
  labels: Labels,
  colours: (code: Code) => boolean,
): HTMLElement | undefined {
  const fragment = purifyContent(html);
  fragment.querySelectorAll("pre").forEach((pre, index) => {
    const code = codes[index] ?? { label: "", closed: false };
    const text = pre.textContent ?? "";
    const coloured = colours(code) ? highlight(text, code.label) : undefined;
    pre.replaceWith(codeBlock(code.label, coloured ?? text, labels));
  });
  fragment.querySelectorAll("img").forEach((image, index) => {
    const alt = image.getAttribute("alt") ?? "";
    const url = imageUrl(images[index] ?? "");
    const shown = url ? imageBox(url, alt, labels) : document.createTextNode(alt);
    // A button may not stand inside a link.
    const link = image.closest("a");
    if (link && url) link.after(shown);
    if (link && url) image.replaceWith(alt || url.host);
    else image.replaceWith(shown);
  });
  for (const link of fragment.querySelectorAll("a")) shownDestination(link);
  for (const table of fragment.querySelectorAll("table")) scrollingTable(table);
  return single(fragment);
}

/** The one element of `fragment`; loose text gets a paragraph around it. */
function single(fragment: DocumentFragment): HTMLElement | undefined {
  const [only] = fragment.children;
  if (fragment.childNodes.length === 0) return undefined;
  const blank = [...fragment.childNodes].every(
    (node) => node === only || node.textContent?.trim() === "",
  );
  if (only instanceof HTMLElement && blank) return only;
  const paragraph = document.createElement("p");
  paragraph.append(fragment);
  return paragraph;
}

/** Whether `token` is a fence whose closing line came. */
export function isClosedFence(token: Token): boolean {
  const fence = token.type === "code" ? /^ *(`{3,}|~{3,})/.exec(token.raw)?.[1] : undefined;
  if (!fence) return false;
  const last = token.raw.trimEnd().split("\n").slice(1).at(-1) ?? "";
  return new RegExp(`^ {0,3}${fence}[~\`]*$`).test(last);
}

function escapeHtml(text: string): string {
  return text
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/"/g, "&quot;");
}
