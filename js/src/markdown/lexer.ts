/**
 * marked's lexer with raw HTML off and with limits: what a model writes must neither become markup
 * nor cost more than its length.
 */

import { Lexer, type Links, type Token, Tokenizer, type Tokens, type TokensList } from "marked";

/** Quotes, lists and emphasis inside each other; deeper ones are shown as text. */
const MAX_DEPTH = 24;
/** Characters, and marks, of one paragraph or cell: inline rules are quadratic on hostile input. */
const MAX_INLINE = 20_000;
const MAX_MARKS = 1500;
/** A row may be two characters and stand for as many cells as the header has. */
const MAX_CELLS = 20_000;

class PlainTokenizer extends Tokenizer {
  /** Raw HTML is not a block: the paragraph rule takes it as text. */
  override html(): undefined {}

  /** Nor a span, but for the line break that models put into table cells. */
  override tag(src: string): Tokens.Tag | undefined {
    const match = /^<br *\/?>/i.exec(src);
    // The lexer only passes the token on, and the parser knows "br".
    return match ? ({ type: "br", raw: match[0] } as unknown as Tokens.Tag) : undefined;
  }

  override table(src: string): Tokens.Table | undefined {
    const end = src.search(/\n[ \t]*(\n|$)/);
    const lines = (end < 0 ? src : src.slice(0, end)).split("\n");
    const columns = (lines[0] ?? "").split("|").length;
    return columns * lines.length > MAX_CELLS ? undefined : super.table(src);
  }
}

class BoundedLexer extends Lexer {
  private depth = 0;

  override blockTokens(src: string, tokens?: Token[], lastParagraphClipped?: boolean): Token[];
  override blockTokens(
    src: string,
    tokens?: TokensList,
    lastParagraphClipped?: boolean,
  ): TokensList;
  override blockTokens(src: string, tokens: Token[] = [], lastParagraphClipped = false): Token[] {
    if (this.depth >= MAX_DEPTH) {
      const paragraph: Tokens.Paragraph = { type: "paragraph", raw: src, text: src, tokens: [] };
      this.inline(src, paragraph.tokens);
      tokens.push(paragraph);
      return tokens;
    }
    this.depth += 1;
    try {
      return super.blockTokens(src, tokens, lastParagraphClipped);
    } finally {
      this.depth -= 1;
    }
  }

  override inlineTokens(src: string, tokens: Token[] = []): Token[] {
    if (this.depth >= MAX_DEPTH || isExcessive(src)) {
      tokens.push({ type: "text", raw: src, text: src, escaped: false });
      return tokens;
    }
    this.depth += 1;
    try {
      return super.inlineTokens(src, tokens);
    } finally {
      this.depth -= 1;
    }
  }
}

function isExcessive(src: string): boolean {
  if (src.length <= MAX_MARKS) return false;
  return src.length > MAX_INLINE || (src.match(/[*_~`[\]]/g)?.length ?? 0) > MAX_MARKS;
}

/**
 * The blocks of `source`. `links` are the reference definitions met before it; those of `source`
 * are added to it.
 */
export function lexBlocks(source: string, links: Links): Token[] {
  const lexer = new BoundedLexer({ gfm: true, tokenizer: new PlainTokenizer() });
  lexer.tokens.links = links;
  return lexer.lex(source);
}
