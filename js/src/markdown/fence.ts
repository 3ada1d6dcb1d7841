/**
 * An open fence at the top level: its text goes to the page as it comes, without lexing. The block
 * may be thousands of lines, and nothing but its closing line can change what is already shown.
 */

/** Characters of code in one span: layout works on the last span only. */
const CHUNK = 4000;

export class OpenFence {
  readonly info: string;
  private readonly indent: number;
  private readonly closing: RegExp;
  private readonly code: HTMLElement;
  /** The line that has not ended, and how much of it is on the page. */
  private line = "";
  private shown = 0;
  private chunk = new Text();

  /** `opening` is the fence's first line; `code` the element that takes the text. */
  constructor(opening: Opening, code: HTMLElement) {
    this.info = opening.info;
    this.indent = opening.indent;
    this.closing = new RegExp(`^ {0,3}${opening.fence}[~\`]* *$`);
    this.code = code;
    this.code.replaceChildren();
    this.startChunk();
  }

  /** Returns whether the fence closed; what came after the closing line is not looked at. */
  write(text: string): boolean {
    const lines = (this.line + text).split("\n");
    const open = lines.pop() ?? "";
    for (const line of lines) {
      if (this.closing.test(line)) return true;
      this.show(`${this.dedent(line)}\n`.slice(this.shown));
      this.shown = 0;
      if (this.chunk.length > CHUNK) this.startChunk();
    }
    this.line = open;
    this.showOpenLine();
    return false;
  }

  private showOpenLine(): void {
    // It may yet become the closing line, or prove to be indented like the fence.
    if (/^ *(?:[~`]+ *)?$/.test(this.line)) return;
    const line = this.dedent(this.line);
    this.show(line.slice(this.shown));
    this.shown = line.length;
  }

  private dedent(line: string): string {
    const spaces = /^\s*/.exec(line)?.[0].length ?? 0;
    return spaces >= this.indent ? line.slice(this.indent) : line;
  }

  private show(text: string): void {
    if (text) this.chunk.appendData(text);
  }

  private startChunk(): void {
    const span = document.createElement("span");
    span.className = "kernelchat-chunk";
    this.chunk = document.createTextNode("");
    span.append(this.chunk);
    this.code.append(span);
  }
}

export interface Opening {
  readonly indent: number;
  readonly fence: string;
  readonly info: string;
  /** Characters of the opening line, its line end included. */
  readonly length: number;
}

/** The complete first line of a fence at the start of `raw`, else undefined. */
export function openingOf(raw: string): Opening | undefined {
  const match = /^( {0,3})(`{3,}(?=[^`\n]*\n)|~{3,})([^\n]*)\n/.exec(raw);
  if (!match) return undefined;
  const [line, indent = "", fence = "", info = ""] = match;
  return { indent: indent.length, fence, info, length: line.length };
}
