/** The look of a chat, out of whatever a host gives: traits of the widget, or the page's config. */

import type { ViewOptions } from "./state/types";

/** What holds where the host says nothing, or nonsense. */
export const DEFAULTS: ViewOptions = {
  title: "",
  avatar: "",
  user_avatar: "",
  greeting: "",
  prompts: [],
  lang: "auto",
  theme: "auto",
  height: 480,
  speed: 0,
  cursor: "",
  input: true,
  model_label: "",
  model_connected: false,
};

export const OPTION_NAMES = Object.keys(DEFAULTS) as readonly (keyof ViewOptions)[];

const CHOICES: Partial<Record<keyof ViewOptions, readonly unknown[]>> = {
  lang: ["auto", "en", "zh"],
  theme: ["auto", "light", "dark", "classic"],
};

function fits(name: keyof ViewOptions, value: unknown): boolean {
  const choices = CHOICES[name];
  if (choices !== undefined) return choices.includes(value);
  if (name === "prompts") {
    return Array.isArray(value) && value.every((prompt) => typeof prompt === "string");
  }
  return typeof value === typeof DEFAULTS[name];
}

/** Reads each option with `get`. */
export function readOptions(get: (name: keyof ViewOptions) => unknown): ViewOptions {
  const known = OPTION_NAMES.map((name) => [name, get(name)] as const);
  return { ...DEFAULTS, ...Object.fromEntries(known.filter(([name, value]) => fits(name, value))) };
}
