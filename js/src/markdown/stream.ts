/**
 * An answer that grows. Only the open block is lexed and drawn again; a block freezes once the next
 * one has a complete line, for until then a setext underline, a lazy line or a table row may still
 * change it. One full render at the end settles what freezing cannot know, such as a link
 * definition after its use, so that for every chunking the final DOM is the one-shot DOM.
 */

import type { Links, Token } from "marked";
import { codeBlock } from "./decorate";
import { OpenFence, openingOf } from "./fence";
import { languageLabel } from "./highlight";
import { VisibleText } from "./invisible";
import type { Labels } from "./labels";
import { lexBlocks } from "./lexer";
import { morph } from "./morph";
import { isClosedFence, type RenderedBlock, renderBlock } from "./render";

/** Characters; a longer answer keeps what it has instead of one long pause at its end. */
const MAX_FULL_RENDER = 1_000_000;

interface Drawn {
  key: string;
  node: HTMLElement | undefined;
}

export class MarkdownStream {
  private readonly root: HTMLElement;
  private readonly labels: Labels;
  private visible = new VisibleText();
  private links: Links = {};
  private source = "";
  /** What is not frozen yet, and what of it is on the page. */
  private tail = "";
  private frozen: Drawn[] = [];
  private open: Drawn[] = [];
  private fence: OpenFence | undefined;
  private unread = "";

  constructor(root: HTMLElement, labels: Labels) {
    this.root = root;
    this.labels = labels;
  }

  /** Takes more of the answer; nothing is drawn before `render`. */
  write(text: string): void {
    this.unread += this.visible.push(text);
  }

  /** Draws what came since the last call. */
  render(): void {
    const text = this.take();
    if (!text) return;
    if (this.fence) {
      if (!this.fence.write(text)) return;
      this.fence = undefined;
    }
    const tokens = lexBlocks(this.tail, { ...this.links });
    const last = lastBlock(tokens);
    const blocks = tokens.map((token, index) => renderBlock(token, this.labels, index < last));
    this.open = this.draw(this.open, blocks, lastNode(this.frozen));
    this.freeze(tokens);
    this.enterFence();
  }

  /** Draws the whole answer as if it had come at once; keeps the blocks that were right. */
  finish(): void {
    this.unread += this.visible.end();
    this.take();
    const whole = this.source.length <= MAX_FULL_RENDER;
    const tokens = whole ? lexBlocks(this.source, {}) : lexBlocks(this.tail, { ...this.links });
    const blocks = tokens.map((token) => renderBlock(token, this.labels, true));
    if (whole) this.draw([...this.frozen, ...this.open], blocks, undefined);
    else this.draw(this.open, blocks, lastNode(this.frozen));
    this.forget();
  }

  /** Takes everything back. */
  reset(): void {
    this.root.replaceChildren();
    this.forget();
  }

  private forget(): void {
    this.visible = new VisibleText();
    this.links = {};
    this.source = this.tail = this.unread = "";
    this.frozen = [];
    this.open = [];
    this.fence = undefined;
  }

  private take(): string {
    const text = this.unread;
    this.unread = "";
    this.source += text;
    this.tail += text;
    return text;
  }

  /** Brings the page from `before`, which stands behind `previous`, to `blocks`. */
  private draw(
    before: readonly Drawn[],
    blocks: readonly RenderedBlock[],
    previous: HTMLElement | undefined,
  ): Drawn[] {
    let place = previous;
    const after = blocks.map((block, index): Drawn => {
      const old = before[index];
      const drawn =
        old?.key === block.key
          ? old
          : { key: block.key, node: this.put(old?.node, block.element(), place) };
      place = drawn.node ?? place;
      return drawn;
    });
    for (const { node } of before.slice(blocks.length)) node?.remove();
    return after;
  }

  private put(
    old: HTMLElement | undefined,
    next: HTMLElement | undefined,
    previous: HTMLElement | undefined,
  ): HTMLElement | undefined {
    if (old && next && old.tagName === next.tagName && old.className === next.className) {
      morph(old, next);
      return old;
    }
    old?.remove();
    if (next && previous) previous.after(next);
    else if (next) this.root.prepend(next);
    return next;
  }

  private freeze(tokens: readonly Token[]): void {
    const boundary = this.boundary(tokens);
    const done = tokens.slice(0, boundary);
    for (const token of done) {
      if (token.type === "def") this.links[token.tag] ??= { href: token.href, title: token.title };
    }
    this.frozen.push(...this.open.splice(0, boundary));
    this.tail = this.tail.slice(joined(done).length);
  }

  /** How many tokens at the front can no longer change. */
  private boundary(tokens: readonly Token[]): number {
    // The lexer joined lines of its own accord: no offset is sure, so wait for the next block.
    if (joined(tokens) !== this.tail) return 0;
    const closed = lastIndex(
      tokens,
      (token, index) =>
        isClosedFence(token) && (index < tokens.length - 1 || /\n$/.test(token.raw)),
    );
    const last = lastBlock(tokens);
    const sure = joined(tokens.slice(last)).includes("\n")
      ? last
      : lastBlock(tokens.slice(0, last));
    return Math.max(closed + 1, sure, 0);
  }

  /** From here on the open block takes text as it comes, if it is a fence. */
  private enterFence(): void {
    const [drawn] = this.open;
    const opening = openingOf(this.tail);
    if (!drawn || !opening) return;
    const block = codeBlock(languageLabel(opening.info), "", this.labels);
    const code = block.querySelector("code");
    if (!code) return;
    const fence = new OpenFence(opening, code);
    // Closed, but its closing line may still go on.
    if (fence.write(this.tail.slice(opening.length))) return;
    drawn.node?.replaceWith(block);
    // No render has this key: the closed fence is drawn anew.
    this.open = [{ key: "open fence", node: block }];
    this.fence = fence;
  }
}

function joined(tokens: readonly Token[]): string {
  return tokens.map((token) => token.raw).join("");
}

function lastNode(drawn: readonly Drawn[]): HTMLElement | undefined {
  return drawn[lastIndex(drawn, ({ node }) => node !== undefined)]?.node;
}

/** The index of the last token that is more than blank lines, -1 without any. */
function lastBlock(tokens: readonly Token[]): number {
  return lastIndex(tokens, (token) => token.type !== "space");
}

function lastIndex<T>(list: readonly T[], test: (item: T, index: number) => boolean): number {
  let index = list.length - 1;
  while (index >= 0 && !test(list[index] as T, index)) index -= 1;
  return index;
}
