/** Where a model's links and images may point, and what the reader is told about it. */

/** Browsers and servers give up near this length, and a reference may be used many times. */
const MAX_URL = 2048;

/** `href` when it is an absolute http, https or mailto address, else undefined. */
export function safeUrl(
  href: string,
  schemes: RegExp = /^(?:https?:\/\/|mailto:)/i,
): URL | undefined {
  const trimmed = href.trim();
  if (trimmed.length > MAX_URL || !schemes.test(trimmed) || !URL.canParse(trimmed))
    return undefined;
  return new URL(trimmed);
}

/** The address of an image that could be fetched, else undefined. */
export function imageUrl(src: string): URL | undefined {
  return safeUrl(src, /^https?:\/\//i);
}

/** Who is at the other end: the host (in ASCII, so that look-alikes show), or the mail address. */
export function destination(url: URL): string {
  return url.protocol === "mailto:" ? decodePath(url.pathname) : url.host;
}

/** Whether a link's own text already names where it leads. */
export function names(text: string, url: URL): boolean {
  const shown = text
    .trim()
    .toLowerCase()
    .replace(/^(?:https?:\/\/|mailto:)/, "");
  const host = destination(url).toLowerCase();
  return shown.startsWith(host) && /^(?:$|[/?#])/.test(shown.slice(host.length));
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // Not percent-encoded UTF-8: shown as it stands.
    return path;
  }
}
