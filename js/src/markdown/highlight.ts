/** Syntax colours for closed code blocks: highlight.js' core and the languages notebooks see most. */

import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import diff from "highlight.js/lib/languages/diff";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";
import r from "highlight.js/lib/languages/r";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { purifyCode } from "./sanitise";

const languages = {
  bash,
  diff,
  json,
  python,
  r,
  sql,
  typescript,
  xml,
  yaml,
};
for (const [name, language] of Object.entries(languages)) hljs.registerLanguage(name, language);
// The grammar of TypeScript reads JavaScript too, and is half the size of both.
hljs.registerAliases(["javascript", "js", "jsx", "mjs", "cjs"], { languageName: "typescript" });
// Our own prefix: the host page may style `hljs-` its own way.
hljs.configure({ classPrefix: "kernelchat-hl-" });

/** Characters; colouring more than this would hold up the page for longer than it helps. */
const MAX_CODE = 50_000;

/** The first word of a fence's info string, as the reader sees it. */
export function languageLabel(info: string | undefined): string {
  return /^[^\s{,]{1,40}/.exec((info ?? "").trim())?.[0] ?? "";
}

/** Coloured `code`, or undefined when the language is not known or the block is too long. */
export function highlight(code: string, label: string): DocumentFragment | undefined {
  const language = label.toLowerCase();
  if (code.length > MAX_CODE || !hljs.getLanguage(language)) return undefined;
  return purifyCode(hljs.highlight(code, { language, ignoreIllegals: true }).value);
}
