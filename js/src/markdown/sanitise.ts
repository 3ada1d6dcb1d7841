/**
 * The second wall behind the lexer: whatever HTML our renderer made, only these elements and
 * attributes come out of it. Classes and data attributes are added afterwards, by us.
 */

import DOMPurify, { type Config } from "dompurify";

const CONTENT: Config = {
  ALLOWED_TAGS: [
    ..."a b blockquote br code del em h1 h2 h3 h4 h5 h6 hr i img li ol p pre strong".split(" "),
    ..."table tbody td th thead tr ul".split(" "),
  ],
  // No src: an image is a button until the reader asks for it.
  ALLOWED_ATTR: ["align", "alt", "href", "start"],
  ADD_URI_SAFE_ATTR: ["align", "start"],
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
};

const CODE: Config = {
  ALLOWED_TAGS: ["span"],
  ALLOWED_ATTR: ["class"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
};

export function purifyContent(html: string): DocumentFragment {
  return DOMPurify.sanitize(html, { ...CONTENT, RETURN_DOM_FRAGMENT: true });
}

/** For the highlighter's output, whose class names are its own. */
export function purifyCode(html: string): DocumentFragment {
  return DOMPurify.sanitize(html, { ...CODE, RETURN_DOM_FRAGMENT: true });
}
