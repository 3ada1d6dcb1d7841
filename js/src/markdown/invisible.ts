/**
 * Characters that change what a reader sees, or carry text nobody sees, without a mark on the
 * screen: bidi controls reorder code, zero-width and tag characters smuggle instructions. They are
 * taken out of what is shown and out of what is copied.
 */

const INVISIBLE = characters(
  "\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f", // controls, but for tab and line feed
  "\\u00ad\\u034f\\u180b-\\u180f\\u200b\\u2060-\\u206f\\ufeff\\ufff0-\\ufffb", // of no width
  "\\u061c\\u200e\\u200f\\u202a-\\u202e", // bidi
  "\\u115f\\u1160\\u17b4\\u17b5\\u3164\\uffa0", // blank letters
  "\\ufe00-\\ufe0d\\u{e0000}-\\u{e0fff}", // selectors without emoji, tags
  "\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}", // shorthand and music format
);

/** Joiners and emoji selectors mean something after one letter, mark or emoji; in Latin or Han never. */
const JOINER = "[\\u200c\\u200d\\ufe0e\\ufe0f]";
const STRAY_JOINER = new RegExp(
  `(?<![\\p{L}\\p{M}\\p{N}\\p{Emoji}])${JOINER}|(?<=${JOINER}|[\\p{sc=Latin}\\p{sc=Han}])${JOINER}`,
  "gu",
);

/** In an emoji sequence the joiner comes after the selector. */
const EMOJI_JOINER = /\p{Emoji}\ufe0f\u200d$/u;

/** More than the longest left context that the rules above look at. */
const CONTEXT = 8;

/** The same for text that comes in pieces: joined results equal that of the joined pieces. */
export class VisibleText {
  private context = "";
  private held = "";

  push(piece: string): string {
    const joined = this.held + piece;
    // A line end or a surrogate pair may be cut between two pieces.
    this.held = /[\r\ud800-\udbff]$/.exec(joined)?.[0] ?? "";
    return this.filter(this.held ? joined.slice(0, -1) : joined);
  }

  end(): string {
    const { held } = this;
    this.held = "";
    return this.filter(held);
  }

  private filter(text: string): string {
    const start = this.context.length;
    const whole = this.context + text.replace(/\r\n?/g, "\n").replace(INVISIBLE, "");
    this.context = whole.slice(-CONTEXT).replace(/^[\udc00-\udfff]/, "");
    const kept = whole.replace(STRAY_JOINER, (joiner, offset: number) =>
      offset < start || EMOJI_JOINER.test(whole.slice(Math.max(0, offset - CONTEXT), offset + 1))
        ? joiner
        : "",
    );
    return kept.slice(start);
  }
}

function characters(...ranges: string[]): RegExp {
  return new RegExp(`[${ranges.join("")}]`, "gu");
}

/** `text` with LF line ends and without characters that deceive. */
export function visibleText(text: string): string {
  const filter = new VisibleText();
  return filter.push(text) + filter.end();
}
