import { describe, expect, it } from "vitest";
import { bundle, checkSize, WIDGET_LIMIT } from "../build.mjs";
import { contentStyles } from "../src/view/content-styles";
import { styles } from "../src/view/styles";

// Once: it bundles everything, in memory.
const files: Map<string, string> = await bundle();

const read = (name: string): string => {
  const text = files.get(name);
  if (text === undefined) throw new Error(`${name} was not built`);
  return text;
};

const load = (text: string) => import(`data:text/javascript,${encodeURIComponent(text)}`);

describe("the build", () => {
  it("makes what the Python package serves", () => {
    expect([...files.keys()].sort()).toEqual(["client.js", "page.html", "page.js", "widget.js"]);
    expect(read("page.html")).toContain('src="/assets/page.js"');
  });

  it("keeps the widget small enough to travel with every instance", () => {
    expect(Buffer.byteLength(read("widget.js"))).toBeLessThanOrEqual(WIDGET_LIMIT);
    expect(WIDGET_LIMIT).toBe(230_000);
  });

  it("fails with a sentence where it is too large", () => {
    expect(() => checkSize(WIDGET_LIMIT)).not.toThrow();
    expect(() => checkSize(WIDGET_LIMIT + 5)).toThrow("230005 bytes, 5 more than the 230000");
  });

  it("gives anywidget its two functions", async () => {
    const { default: widget } = await load(read("widget.js"));
    expect(widget).toEqual({
      initialize: expect.any(Function),
      render: expect.any(Function),
    });
  });

  it("gives the client as a module of its own", async () => {
    const { ChatClient } = await load(read("client.js"));
    const client = new ChatClient({ url: "http://127.0.0.1:1", token: "t" });
    expect(client.sessionId).toMatch(/^[0-9a-f]{32}$/);
    expect(Buffer.byteLength(read("client.js"))).toBeLessThan(20_000);
  });

  it("loads nothing from elsewhere and keeps to the page's policy", () => {
    for (const [name, text] of files) {
      expect(text, name).not.toMatch(/\beval\(|new Function\(/);
      expect(text, name).not.toMatch(/\bimport\(|\bfrom\s*["']https?:/);
    }
    expect(read("page.html")).not.toMatch(/<script(?![^>]*\bsrc=)/);
  });

  it("shortens the styles by signs that stand nowhere else in them", () => {
    expect(styles + contentStyles).not.toMatch(/\.-|\^/);
    expect(read("widget.js")).toContain(".-header{");
    expect(read("widget.js")).toContain("color:^k-text)");
  });

  it("keeps the notices of what it bundles", () => {
    expect(read("widget.js")).toContain("DOMPurify");
  });
});
