import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { OWN } from "../../src/markdown/decorate";
import { MarkdownStream } from "../../src/markdown/stream";
import { fixtures } from "./fixtures";
import { labels } from "./labels";

let root: HTMLElement;

beforeEach(() => {
  root = document.createElement("div");
});

function oneShot(text: string): string {
  const whole = document.createElement("div");
  const stream = new MarkdownStream(whole, labels);
  stream.write(text);
  stream.finish();
  return whole.innerHTML;
}

/** Draws after each piece; cuts may fall anywhere, also inside a surrogate pair. */
function streamed(text: string, cuts: readonly number[]): MarkdownStream {
  root.replaceChildren();
  const stream = new MarkdownStream(root, labels);
  const ends = [...cuts, text.length].map((cut) => cut % (text.length + 1)).sort((a, b) => a - b);
  let start = 0;
  for (const end of [...ends, text.length]) {
    stream.write(text.slice(start, end));
    stream.render();
    start = end;
  }
  return stream;
}

describe("for every chunking the final DOM is the one-shot DOM", () => {
  for (const [name, text] of Object.entries(fixtures)) {
    test(`${name}, character by character`, () => {
      streamed(text, [...text.split("").keys()]).finish();
      expect(root.innerHTML).toBe(oneShot(text));
    });

    test(`${name}, cut anywhere`, () => {
      fc.assert(
        fc.property(fc.array(fc.nat(), { maxLength: 12 }), (cuts) => {
          streamed(text, cuts).finish();
          expect(root.innerHTML).toBe(oneShot(text));
        }),
        { numRuns: 20 },
      );
    });
  }

  test("answers made of parts of all of these", () => {
    const parts = Object.values(fixtures).flatMap((text) => text.split(/(?<=\n)/));
    const answers = fc
      .array(fc.constantFrom(...parts), { maxLength: 12 })
      .map((all) => all.join(""));
    fc.assert(
      fc.property(answers, fc.array(fc.nat(), { maxLength: 12 }), (text, cuts) => {
        streamed(text, cuts).finish();
        expect(root.innerHTML).toBe(oneShot(text));
      }),
      { numRuns: 300 },
    );
  });
});

describe("freezing", () => {
  // A fence that never closes stays open, and a late definition is what the end is for.
  const late = ["definitionAfter", "fenceOpen"];
  const settled = Object.entries(fixtures).filter(([name]) => !late.includes(name));

  test.each(settled)("%s needs no repair at the end", (_name, text) => {
    const closed = `${text}\n\nlast\n\nblock\n\n`;
    const stream = streamed(closed, [...closed.split("").keys()]);
    const before = root.innerHTML;
    stream.finish();
    expect(root.innerHTML).toBe(before);
  });

  test("keeps the nodes of finished blocks", () => {
    const stream = new MarkdownStream(root, labels);
    stream.write("# Title\n\nfirst\n\nsecond\n");
    stream.render();
    const [title, first] = root.children;
    for (const character of "\nthird\n\n- list\n- more\n\n[d]: https://d.example\n") {
      stream.write(character);
      stream.render();
    }
    stream.finish();
    expect(root.children[0]).toBe(title);
    expect(root.children[1]).toBe(first);
    expect(root.children).toHaveLength(5);
  });

  test("keeps the open block's text nodes, so that a selection in it lives on", () => {
    const stream = new MarkdownStream(root, labels);
    stream.write("some **bold** te");
    stream.render();
    const text = root.querySelector("p")?.lastChild;
    stream.write("xt");
    stream.render();
    expect(root.querySelector("p")?.lastChild).toBe(text);
    expect(text?.textContent).toBe(" text");
  });

  test("a definition after its use becomes a link at the end", () => {
    streamed(fixtures.definitionAfter ?? "", [5, 20, 40]).finish();
    expect(root.querySelector("a")?.getAttribute("href")).toBe("https://d.example/x");
  });
});

describe("an open fence", () => {
  test("takes text without drawing again, and hides what may be its closing line", () => {
    const stream = new MarkdownStream(root, labels);
    stream.write("```python\nx = 1\n");
    stream.render();
    const code = root.querySelector("code");
    const line = code?.querySelector("span")?.firstChild;
    stream.write("y = ``\n``");
    stream.render();
    expect(root.querySelector("code")).toBe(code);
    expect(code?.querySelector("span")?.firstChild).toBe(line);
    expect(code?.textContent).toBe("x = 1\ny = ``\n");
    expect(root.querySelector(".kernelchat-hl-number")).toBeNull();
    stream.write("`\n");
    stream.render();
    expect(root.querySelector("code")?.textContent).toBe("x = 1\ny = ``\n");
    expect(root.querySelector(".kernelchat-hl-number")?.textContent).toBe("1");
  });

  test("shows its language and the Copy button from its first line on", () => {
    const stream = new MarkdownStream(root, labels);
    stream.write("~~~rust,ignore\n");
    stream.render();
    expect(root.querySelector(`.kernelchat-code-bar[${OWN}]`)?.textContent).toBe("rustcopy");
  });

  test("spreads a long block over several spans", () => {
    const stream = new MarkdownStream(root, labels);
    stream.write(`\`\`\`\n${"a line of code\n".repeat(1000)}`);
    stream.render();
    expect(root.querySelectorAll(".kernelchat-chunk").length).toBeGreaterThan(2);
    expect(root.querySelector("code")?.textContent).toBe("a line of code\n".repeat(1000));
  });
});
