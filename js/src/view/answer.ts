/**
 * An assistant's text on the page, outside of preact: the typewriter decides what may be seen, the
 * Markdown stream draws it, and a frame costs what the open block costs.
 */

import type { Labels } from "../markdown/labels";
import { MarkdownStream } from "../markdown/stream";
import { createCursor, placeCursor } from "./cursor";
import { type Frame, frame } from "./frames";
import { createTypewriter, type Typewriter } from "./typewriter";

/** A block that takes long to draw is drawn less often: at most this share of the time. */
const SHARE = 0.25;

export interface AnswerOptions {
  readonly labels: Labels;
  /** As in ViewOptions. */
  readonly speed: number;
  readonly cursor: string;
  /** Called when everything that came is on the page and no more will come. */
  onSettled(): void;
}

export class Answer {
  private readonly root: HTMLElement;
  private readonly options: AnswerOptions;
  private readonly stream: MarkdownStream;
  private readonly frame: Frame;
  private typewriter: Typewriter | undefined;
  private cursor: HTMLElement | undefined;
  private text = "";
  private ended = false;
  private settled = false;
  /** When the next drawing may start (milliseconds). */
  private rested = 0;
  private undrawn = false;

  constructor(root: HTMLElement, options: AnswerOptions) {
    this.root = root;
    this.options = options;
    this.stream = new MarkdownStream(root, options.labels);
    this.frame = frame((now) => this.step(now));
    document.addEventListener("visibilitychange", this.onVisibility);
  }

  /**
   * Shows `text`, the whole of what came so far. `status` "streaming" lets it be typed; "done" ends
   * it, "stopped" and "failed" end it at once.
   */
  update(text: string, status: string): void {
    const now = performance.now();
    const first = this.typewriter === undefined;
    const begins = !first && this.text === "";
    const ended = status !== "streaming";
    if (first || !text.startsWith(this.text)) this.start(text);
    else if (text.length > this.text.length) {
      this.typewriter?.push(text.slice(this.text.length), now);
      this.settled = false;
    }
    this.text = text;
    this.ended = ended;
    if (ended) this.typewriter?.end();
    if (first || (ended && status !== "done") || stillness()) this.catchUp();
    // It is a frame that brings updates: to ask for one would show the first token a frame later.
    else if (begins) this.step(now);
    else this.frame.request();
  }

  dispose(): void {
    this.frame.cancel();
    document.removeEventListener("visibilitychange", this.onVisibility);
  }

  /** What is there when a view comes is shown, not typed again. */
  private start(text: string): void {
    this.stream.reset();
    this.cursor = undefined;
    this.settled = false;
    this.typewriter = createTypewriter(this.options.speed);
    this.write(text);
  }

  private readonly onVisibility = (): void => {
    if (document.hidden) this.catchUp();
  };

  private catchUp(): void {
    this.frame.cancel();
    this.write(this.typewriter?.flush() ?? "");
    this.rested = 0;
    this.step(performance.now());
  }

  private write(text: string): void {
    if (!text) return;
    this.stream.write(text);
    this.undrawn = true;
  }

  private step(now: number): void {
    if (this.settled) return;
    this.write(this.typewriter?.release(now) ?? "");
    const drained = this.typewriter?.empty ?? true;
    if (this.ended && drained) {
      this.settle();
      return;
    }
    if (this.undrawn && now >= this.rested) this.draw();
    if (!drained || this.undrawn) this.frame.request();
  }

  private draw(): void {
    const start = performance.now();
    this.cursor?.remove();
    this.stream.render();
    this.undrawn = false;
    this.cursor ??= createCursor(this.options.cursor);
    if (this.cursor) placeCursor(this.root, this.cursor);
    const end = performance.now();
    // Below a frame's worth there is nothing to save.
    if (end - start > 4) this.rested = end + (end - start) * (1 / SHARE - 1);
  }

  private settle(): void {
    this.settled = true;
    this.cursor?.remove();
    this.cursor = undefined;
    this.stream.finish();
    this.undrawn = false;
    this.options.onSettled();
  }
}

function stillness(): boolean {
  return document.hidden || prefersReducedMotion();
}

export function prefersReducedMotion(): boolean {
  return globalThis.matchMedia?.("(prefers-reduced-motion: reduce)").matches ?? false;
}
