import { beforeEach, describe, expect, test } from "vitest";
import { loadedImage, OWN } from "../../src/markdown/decorate";
import { visibleText } from "../../src/markdown/invisible";
import { MarkdownStream } from "../../src/markdown/stream";
import { labels } from "./labels";

let root: HTMLElement;

beforeEach(() => {
  root = document.createElement("div");
});

function draw(text: string): HTMLElement {
  root.replaceChildren();
  const stream = new MarkdownStream(root, labels);
  stream.write(text);
  stream.render();
  stream.finish();
  return root;
}

/** What is the model's, without what we added. */
function modelText(): string {
  const copy = root.cloneNode(true) as HTMLElement;
  for (const own of copy.querySelectorAll(`[${OWN}]`)) own.remove();
  return copy.textContent ?? "";
}

const ours = /^kernelchat-[a-z_-]+$/;
const attributes = new Set([
  ..."align class data-kernelchat-alt data-kernelchat-own data-kernelchat-src href".split(" "),
  ..."rel start tabindex target type".split(" "),
]);

describe("raw HTML is text", () => {
  test.each([
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<svg onload="alert(1)"><style>*{}</style></svg>',
    '<iframe src="https://evil.example"></iframe>',
    '<form action="https://evil.example"><input name=a><button id=b>c</button></form>',
    '<a href="javascript:alert(1)" style="position:fixed" id=x class=y name=z data-a=b>t</a>',
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=a&gt;">',
    "<!-- comment --> <![CDATA[x]]> <?php ?> <!DOCTYPE html>",
    '<base href="https://evil.example"><meta http-equiv=refresh content=0><link rel=stylesheet href=x>',
    "<details open ontoggle=alert(1)>",
    "<b>bold</b>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
  ])("%s", (html) => {
    for (const text of [
      html,
      `a ${html} b`,
      `- ${html}`,
      `| ${html.replace(/\|/g, "")} |\n|--|\n`,
    ]) {
      draw(text);
      const foreign =
        "script img svg style iframe form input math base meta link details noscript b";
      expect(root.querySelector(foreign.split(" ").join(","))).toBeNull();
      for (const element of root.querySelectorAll("*")) {
        for (const { name } of element.attributes) expect(attributes).toContain(name);
        for (const name of element.classList) expect(name).toMatch(ours);
      }
    }
    draw(html);
    expect(modelText().replace(/\s+/g, " ").trim()).toBe(decoded(html));
  });
});

/** References are text too: Markdown reads them as the characters they stand for. */
function decoded(html: string): string {
  return html.replace(/&gt;/g, ">").replace(/&lt;/g, "<").replace(/\s+/g, " ");
}

describe("links", () => {
  test.each([
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "&#106;avascript:alert(1)",
    "java\tscript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://x/y",
    "//evil.example/p",
    "/lab/api/contents",
    "relative.html",
    "#fragment",
    "?query",
    "https:/\\evil",
    `https://long.example/${"a".repeat(3000)}`,
  ])("[x](%s) is no link", (href) => {
    for (const text of [`[x](<${href}>)`, `[x](${href})`, `[x][r]\n\n[r]: <${href}>`]) {
      draw(text);
      for (const link of root.querySelectorAll("a")) {
        expect(link.getAttribute("href")).toMatch(/^(https?:\/\/|mailto:)/);
        expect(link.protocol).not.toBe("javascript:");
      }
      expect(root.textContent).toContain("x");
    }
    draw(`[x](<${href}>)`);
    expect(root.querySelector("a")).toBeNull();
  });

  test("open outside and tell nothing about the page", () => {
    const link = draw("[docs](https://docs.example/a)").querySelector("a");
    expect(link?.getAttribute("rel")).toBe("noopener noreferrer");
    expect(link?.target).toBe("_blank");
  });

  test.each([
    ["[docs](https://docs.example/a)", " (docs.example)"],
    ["[https://bank.example](https://evil.example/a)", " (evil.example)"],
    ["[bank.example](https://bank.example@evil.example/)", " (evil.example)"],
    ["[bank.example.evil.example](https://bank.example/)", " (bank.example)"],
    ["[аpple.com](https://аpple.com/)", " (xn--pple-43d.com)"],
    ["[write](mailto:a@b.example)", " (a@b.example)"],
    ["[Docs.Example](https://docs.example/a)", ""],
    ["https://docs.example/a?b", ""],
    ["<a@b.example>", ""],
  ])("%s names where it leads", (text, host) => {
    draw(text);
    expect(root.querySelector("a .kernelchat-host")?.textContent ?? "").toBe(host);
  });
});

describe("images", () => {
  test("stay a labelled box until they are asked for", () => {
    draw("![secret](https://evil.example/p?q=1)");
    expect(root.querySelector("img")).toBeNull();
    const box = root.querySelector(`button.kernelchat-image-box[${OWN}]`);
    expect(box?.textContent).toBe("secret · image from evil.example");
    expect(box && loadedImage(box).src).toBe("https://evil.example/p?q=1");
    expect(box && loadedImage(box).referrerPolicy).toBe("no-referrer");
  });

  test.each([
    "data:image/png;base64,AAAA",
    "/api/x",
    "javascript:alert(1)",
    "file:///a",
    "mailto:a@b",
  ])("![alt](%s) is its text", (src) => {
    draw(`![alt](<${src}>)`);
    expect(root.querySelector("img, button")).toBeNull();
    expect(root.textContent?.trim()).toBe("alt");
  });

  test("in a link they stand behind it", () => {
    draw("[![in](https://i.example/b.png)](https://l.example/)");
    expect(root.querySelector("a button")).toBeNull();
    expect(root.querySelector("a")?.firstChild?.textContent).toBe("in");
    expect(root.querySelectorAll("button")).toHaveLength(1);
  });

  test("once loaded, more text does not take them away", () => {
    const stream = new MarkdownStream(root, labels);
    stream.write("see ![a](https://i.example/a.png) and");
    stream.render();
    const box = root.querySelector(".kernelchat-image-box");
    box?.replaceWith(loadedImage(box));
    stream.write(" more");
    stream.render();
    stream.finish();
    expect(root.querySelector("img")?.alt).toBe("a");
    expect(root.querySelector("p")?.textContent).toBe("see  and more");
  });
});

describe("invisible characters", () => {
  test.each([
    ["bidi override", "a\u202Eb\u2066c\u2069", "abc"],
    ["marks of direction", "a\u200E\u200F\u061Cb", "ab"],
    ["zero width", "a\u200Bb\u2060c\uFEFFd\u00ADe", "abcde"],
    ["tags", "a\u{E0068}\u{E0069}b", "ab"],
    ["selectors that carry bytes", "a\uFE01\uFE05\u{E0101}b\uFE0F\uFE0F", "ab"],
    ["joiners that carry bits", "a\u200D\u200C\u200Db", "ab"],
    ["controls", "a\u0000\u001B[31mb\u0085c", "a[31mbc"],
    ["blank letters", "a\u3164\u115F\uFFA0b", "ab"],
    ["line ends", "a\r\nb\rc", "a\nb\nc"],
  ])("%s are taken out", (_name, text, visible) => {
    expect(visibleText(text)).toBe(visible);
  });

  test.each([
    "👩‍👩‍👧‍👦",
    "❤️‍🔥",
    "🏳️‍🌈",
    "👋🏽",
    "1️⃣",
    "©️",
    "می‌خواهم",
    "क्‍ष",
    "é",
    "🇩🇪",
    "tab\tand\nline",
  ])("%s stays", (text) => {
    expect(visibleText(text)).toBe(text);
  });
});

describe("limits", () => {
  test("deep nesting ends as text", () => {
    draw(`${">".repeat(5000)} deep`);
    expect(root.querySelectorAll("blockquote").length).toBeLessThan(40);
    expect(root.textContent).toContain("deep");
    draw(`${"- ".repeat(5000)}deep`);
    expect(root.textContent).toContain("deep");
    draw(`${"**a *b ".repeat(500)}c${"* d**".repeat(500)}`);
    expect(root.textContent).toContain("c");
  });

  test("a header of thousands of cells is no table", () => {
    draw(`${"|a".repeat(5000)}|\n${"|-".repeat(5000)}|\n${"|\n".repeat(5000)}`);
    expect(root.querySelectorAll("td").length).toBe(0);
  });

  test("one endless line of marks is text", () => {
    for (const mark of ["[", "*a_", "`", "![", "<", "\\", "~~a", "&"]) {
      draw(`x ${mark.repeat(30_000)}`);
      expect(root.textContent?.length).toBeGreaterThan(10_000);
    }
  });
});
