/** What the views of a chat hold on to while the chat turns from one conversation to another. */

import type { Chat, ChatState, CommandRequest, Connection, Kept } from "../state/types";
import type { KernelChat } from "./chat";

export class CurrentChat implements Chat {
  readonly #make: () => KernelChat;
  /** Each with what ends its subscription to the conversation shown. */
  readonly #listeners = new Map<() => void, () => void>();
  #chat: KernelChat;

  /** `make` connects to the conversation that the chat shows when it is called. */
  constructor(make: () => KernelChat) {
    this.#make = make;
    this.#chat = make();
  }

  get sessionId(): string {
    return this.#chat.sessionId;
  }

  get kept(): Kept {
    return this.#chat.kept;
  }

  state(): ChatState {
    return this.#chat.state();
  }

  connection(): Connection {
    return this.#chat.connection();
  }

  command(request: CommandRequest): Promise<void> {
    return this.#chat.command(request);
  }

  loadEarlier(): Promise<void> {
    return this.#chat.loadEarlier();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.set(listener, this.#chat.subscribe(listener));
    return () => {
      this.#listeners.get(listener)?.();
      this.#listeners.delete(listener);
    };
  }

  /** Leaves the conversation and shows the one that the chat shows now. */
  turn(): void {
    this.#chat.leave();
    this.#chat = this.#make();
    for (const listener of [...this.#listeners.keys()]) {
      this.#listeners.set(listener, this.#chat.subscribe(listener));
      listener();
    }
  }

  look(): void {
    this.#chat.look();
  }

  close(): void {
    this.#chat.close();
  }
}
