/**
 * The words that the halves of the page share: what the kernel says, what a view shows, what it may
 * ask for. `transport/` produces them, `view/` draws them, neither knows the other.
 */

export type Role = "user" | "assistant" | "system";
export type MessageStatus = "queued" | "streaming" | "done" | "stopped" | "failed";
export type TalkStatus = "idle" | "thinking" | "writing" | "retrying" | "closed";
export type Transport = "direct" | "proxy" | "comm";

export interface Timing {
  first_token_ms?: number | null;
  total_ms?: number | null;
  tokens_per_second?: number | null;
}

export interface WireError {
  kind: string;
  message: string;
  retryable?: boolean;
}

export interface ToolCall {
  call_id: string;
  name: string;
  arguments: string;
  result: string | null;
  status: string;
}

/** One bubble. Field names are those of the wire (DESIGN.md section 3). */
export interface Message {
  readonly id: string;
  readonly role: Role;
  readonly text: string;
  readonly parent_id: string | null;
  readonly status: MessageStatus;
  readonly reasoning: string;
  readonly tools: readonly ToolCall[];
  readonly finish_reason: string | null;
  readonly usage: Readonly<Record<string, unknown>> | null;
  readonly timing: Timing | null;
  readonly error: WireError | null;
  readonly feedback: string | null;
  readonly attachments: readonly Readonly<Record<string, unknown>>[];
  readonly citations: readonly Readonly<Record<string, unknown>>[];
  readonly created_at: number;
  /** The next token's index. */
  readonly tokens: number;
}

export interface WireEvent {
  event: string;
  data: Readonly<Record<string, unknown>>;
}

export interface Notice {
  readonly id: number;
  readonly level: "info" | "warning" | "error";
  readonly kind: string;
  readonly text: string;
}

/** What all views of one conversation draw; made by `reduce` alone. */
export interface ChatState {
  /** The id of the last event folded in, null before the first snapshot or event. */
  readonly cursor: number | null;
  readonly messages: ReadonlyMap<string, Message>;
  readonly leafId: string | null;
  readonly status: TalkStatus;
  readonly retryAt: number | null;
  readonly hasMore: boolean;
  readonly notices: readonly Notice[];
}

/** How a view stands with its kernel. */
export interface Connection {
  /**
   * connecting: nothing heard yet; open: events arrive; lost: trying again (the words are kept);
   * gone: this kernel is no more, the view only shows what it has.
   */
  readonly phase: "connecting" | "open" | "lost" | "gone";
  readonly transport: Transport;
  /** A command went out over comm and was not acknowledged within 300 ms: a cell is running. */
  readonly waiting: boolean;
}

/** A command as the view gives it: the transport adds the `command_id`. */
export type CommandRequest =
  | { type: "send"; text: string }
  | { type: "stop"; message_id?: string }
  | { type: "regenerate"; message_id: string }
  | { type: "edit"; message_id: string; text: string }
  | { type: "select"; message_id: string }
  | { type: "undo" }
  | { type: "clear" }
  | { type: "queue_edit"; message_id: string; text: string }
  | { type: "queue_remove"; message_id: string }
  | { type: "feedback"; message_id: string; value: "up" | "down" | null };

/** A conversation that the chat can show, in a list. */
export interface KeptSession {
  readonly session_id: string;
  readonly title: string;
  /** Milliseconds since 1970. */
  readonly updated_at: number;
  readonly messages: number;
}

/** The conversations that a chat can show. All reject as `Chat.command` does. */
export interface Kept {
  /** The newest first. */
  list(): Promise<readonly KeptSession[]>;
  /** Shows another one in this chat; null begins a new one. */
  show(id: string | null): Promise<void>;
  rename(id: string, title: string): Promise<void>;
  /** For good; where the chat shows it, a new one begins. */
  delete(id: string): Promise<void>;
}

/** What a view holds of a conversation. `transport/` implements it, vitest fakes it. */
export interface Chat {
  readonly sessionId: string;
  state(): ChatState;
  connection(): Connection;
  /** Calls `listener` after each change of state or connection; returns what ends it. */
  subscribe(listener: () => void): () => void;
  /**
   * Resolves once the kernel took the command; rejects with a WireError-like
   * `{kind, message}` when it was refused or could not be delivered.
   */
  command(request: CommandRequest): Promise<void>;
  /** Fetches earlier messages into the state. */
  loadEarlier(): Promise<void>;
  /** Absent where a view shows one conversation and no other. */
  readonly kept?: Kept;
}

/** What the notebook set for the look; traits of the widget, or the page's config. */
export interface ViewOptions {
  readonly title: string;
  readonly avatar: string;
  readonly user_avatar: string;
  readonly greeting: string;
  readonly prompts: readonly string[];
  readonly lang: "auto" | "en" | "zh";
  readonly theme: "auto" | "light" | "dark" | "classic";
  /** CSS pixels. */
  readonly height: number;
  /** Characters per second; 0 lets the time budget decide, -1 shows text at once. */
  readonly speed: number;
  /** "" draws the bar, "none" nothing, anything else is the character itself. */
  readonly cursor: string;
  readonly input: boolean;
  readonly model_label: string;
  readonly model_connected: boolean;
}

/** Options that can change while the view stands. */
export interface OptionsSource {
  get(): ViewOptions;
  subscribe(listener: () => void): () => void;
}
