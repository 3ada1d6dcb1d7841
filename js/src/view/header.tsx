/** The title, how the chat stands, and what answers. */

import type { ChatState, Connection } from "../state/types";
import { useShared } from "./context";
import type { Words } from "./i18n";
import { Menu } from "./menu";
import { type HeaderState, headerState } from "./phase";

export function Header({ state, connection }: { state: ChatState; connection: Connection }) {
  const { chat, options, words } = useShared();
  const now = headerState(state, connection);
  return (
    <header class="kernelchat-header">
      <strong class="kernelchat-title">{options.title || words.title}</strong>
      <span class="kernelchat-state" data-state={now}>
        {stateWord(now, words)}
      </span>
      <span class="kernelchat-model">{options.model_label}</span>
      <Menu kept={now === "disconnected" ? undefined : chat.kept} />
    </header>
  );
}

function stateWord(state: HeaderState, words: Words): string {
  return {
    disconnected: words.disconnected,
    connected: words.connected,
    responding: words.responding,
    error: words.connectionError,
  }[state];
}
