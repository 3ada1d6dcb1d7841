/** Light or dark: as set, else as the host shows itself, else as the system does. */

import { useLayoutEffect, useState } from "preact/hooks";
import type { ViewOptions } from "../state/types";

export type Scheme = "light" | "dark";

/** The scheme for our own colours; the host's variables are in the style sheet. */
export function useHostLook(theme: ViewOptions["theme"]): Scheme {
  const [host, setHost] = useState(hostScheme);
  useLayoutEffect(() => {
    const read = () => setHost(hostScheme());
    const observer = new MutationObserver(read);
    const filter = { attributes: true, attributeFilter: [...ATTRIBUTES, "class"] };
    observer.observe(document.documentElement, filter);
    if (document.body) observer.observe(document.body, filter);
    const media = globalThis.matchMedia?.(DARK);
    media?.addEventListener("change", read);
    return () => {
      observer.disconnect();
      media?.removeEventListener("change", read);
    };
  }, []);
  if (theme === "auto") return host;
  return theme === "dark" ? "dark" : "light";
}

const DARK = "(prefers-color-scheme: dark)";
const ATTRIBUTES = ["data-jp-theme-light", "data-vscode-theme-kind", "data-theme", "theme"];

export function hostScheme(): Scheme {
  const { body, documentElement } = document;
  const jupyter = body?.getAttribute("data-jp-theme-light");
  if (jupyter) return jupyter === "false" ? "dark" : "light";
  const vscode = /vscode-(?:high-contrast-)?(light|dark|high-contrast)/.exec(
    `${body?.getAttribute("data-vscode-theme-kind")} ${body?.className}`,
  )?.[1];
  if (vscode) return vscode === "light" ? "light" : "dark";
  for (const element of [documentElement, body]) {
    const named = element?.getAttribute("data-theme") ?? element?.getAttribute("theme");
    if (named === "dark" || element?.classList.contains("dark")) return "dark";
    if (named === "light" || element?.classList.contains("light")) return "light";
  }
  return globalThis.matchMedia?.(DARK).matches ? "dark" : "light";
}
