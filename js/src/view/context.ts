/** What every component of one view shares. */

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Chat, CommandRequest, Message, ViewOptions } from "../state/types";
import type { Words } from "./i18n";

export interface ViewContext {
  readonly chat: Chat;
  readonly options: ViewOptions;
  readonly words: Words;
  /** Sends a command; what the kernel says against it is shown beside the composer. */
  run(request: CommandRequest): Promise<boolean>;
  /** Puts a question into the composer, to be asked otherwise. */
  edit(message: Message): void;
  /** Shows a sentence beside the composer. */
  tell(sentence: string): void;
}

export const Shared = createContext<ViewContext | undefined>(undefined);

export function useShared(): ViewContext {
  const shared = useContext(Shared);
  if (!shared) throw new Error("A component of the chat was rendered outside of it.");
  return shared;
}
