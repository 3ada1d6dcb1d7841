/** What every component of one view shares. */

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Chat, CommandRequest, Message, ViewOptions } from "../state/types";
import type { Language, Words } from "./i18n";

export interface ViewContext {
  readonly chat: Chat;
  readonly options: ViewOptions;
  /** What was chosen, and what that makes here. */
  readonly lang: ViewOptions["lang"];
  readonly language: Language;
  readonly words: Words;
  /** Speaks another language, in this view only. */
  say(lang: ViewOptions["lang"]): void;
  /** Sends a command; what the kernel says against it is shown beside the composer. */
  run(request: CommandRequest): Promise<boolean>;
  /** Puts a question into the composer, to be asked otherwise. */
  edit(message: Message): void;
  /** Shows a sentence beside the composer. */
  tell(sentence: string): void;
  /** Shows why something was not done. */
  fail(error: unknown): void;
}

export const Shared = createContext<ViewContext | undefined>(undefined);

export function useShared(): ViewContext {
  const shared = useContext(Shared);
  if (!shared) throw new Error("A component of the chat was rendered outside of it.");
  return shared;
}
