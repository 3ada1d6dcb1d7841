/** How long ago something was, in the words of a language. */

import type { Language } from "./i18n";

const UNITS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
] as const;

/** `time` and `now` in milliseconds since 1970. Under a minute it is "now". */
export function ago(time: number, language: Language, now: number = Date.now()): string {
  const seconds = Math.max(0, (now - time) / 1000);
  const [unit, length] = UNITS.find((one) => seconds >= one[1]) ?? ["second", seconds || 1];
  const format = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
  return format.format(seconds < 60 ? 0 : -Math.floor(seconds / length), unit);
}
