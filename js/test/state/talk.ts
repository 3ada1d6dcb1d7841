/**
 * A kernel's side of a talk, for tests: what is done to it becomes the events of its log, in the
 * order that DESIGN.md section 3 gives them.
 */

import fc from "fast-check";
import { EMPTY_STATE, reduceAll } from "../../src/state/reduce";
import type { ChatState, Message, WireEvent } from "../../src/state/types";

export const SESSION = "s1";
export const FIRST = 1_764_000_000_000_000;

export function message(fields: Partial<Message> & Pick<Message, "id" | "role">): Message {
  return {
    text: "",
    parent_id: null,
    status: "done",
    reasoning: "",
    tools: [],
    finish_reason: null,
    usage: null,
    timing: null,
    error: null,
    feedback: null,
    attachments: [],
    citations: [],
    created_at: 0,
    tokens: 0,
    ...fields,
  };
}

export class Talk {
  readonly session: string;
  readonly first: number;
  readonly events: WireEvent[] = [];
  private made = 0;
  private running: { id: string; text: string; tokens: number; thoughts: number } | null = null;
  private leaf: string | null = null;
  private readonly questions: string[] = [];
  private readonly waiting: string[] = [];

  constructor(session = SESSION, first = FIRST) {
    this.session = session;
    this.first = first;
  }

  get last(): number {
    return this.first + this.events.length;
  }

  emit(event: string, data: Record<string, unknown>): WireEvent {
    const made = { event, data: { id: this.last + 1, session_id: this.session, ...data } };
    this.events.push(made);
    return made;
  }

  send(text: string): void {
    const id = this.name("u");
    if (this.running !== null) {
      this.waiting.push(id);
      this.emit("message", { message: message({ id, role: "user", text, status: "queued" }) });
      return;
    }
    this.emit("message", { message: message({ id, role: "user", text, parent_id: this.leaf }) });
    this.begin(id);
  }

  token(text: string): void {
    if (this.running === null) return;
    if (this.running.tokens === 0) this.emit("status", { status: "writing" });
    const { id: message_id, tokens: index } = this.running;
    this.emit("token", { message_id, index, text });
    this.running.tokens += 1;
    this.running.text += text;
  }

  think(text: string): void {
    if (this.running === null) return;
    const { id: message_id, thoughts: index } = this.running;
    this.emit("reasoning", { message_id, index, text });
    this.running.thoughts += 1;
  }

  tool(status: string): void {
    if (this.running === null) return;
    const call = { call_id: "c1", name: "look", arguments: "{}", result: null, status };
    this.emit("tool", { message_id: this.running.id, ...call });
  }

  retry(): void {
    if (this.running === null || this.running.tokens > 0) return;
    this.emit("status", { status: "retrying", retry_at: this.made });
  }

  finish(finish_reason = "stop"): void {
    if (this.running === null) return;
    const { id: message_id, text: fullText, tokens } = this.running;
    const timing = { first_token_ms: 1, total_ms: 2, tokens_per_second: null };
    const usage = { total_tokens: tokens };
    this.emit("done", { message_id, fullText, finish_reason, usage, timing });
    this.idle();
    const next = this.waiting.shift();
    if (next === undefined) return;
    const changes = { status: "done", parent_id: this.leaf };
    this.emit("update", { message_id: next, changes });
    this.begin(next);
  }

  fail(): void {
    if (this.running === null) return;
    const error = { kind: "server", message: "It broke.", retryable: true };
    this.emit("error", { message_id: this.running.id, ...error });
    this.idle();
  }

  regenerate(): void {
    const question = this.questions.at(-1);
    if (question === undefined || this.running !== null) return;
    this.begin(question);
  }

  clear(): void {
    if (this.running !== null) return;
    this.leaf = null;
    this.emit("leaf", { leaf_id: null });
  }

  takeBack(): void {
    const id = this.waiting.pop();
    if (id !== undefined) this.emit("removed", { message_ids: [id] });
  }

  feedback(value: string | null): void {
    if (this.leaf !== null) {
      this.emit("update", { message_id: this.leaf, changes: { feedback: value } });
    }
  }

  notice(text: string): void {
    this.emit("notice", { level: "warning", kind: "callback", text });
  }

  /** What a reader gets that comes after the first `count` events. */
  snapshot(count = this.events.length): WireEvent {
    const state = reduceAll(EMPTY_STATE, this.events.slice(0, count));
    return {
      event: "snapshot",
      data: {
        id: this.first + count,
        session_id: this.session,
        messages: [...state.messages.values()],
        leaf_id: state.leafId,
        status: state.status,
        retry_at: state.retryAt,
        has_more: false,
      },
    };
  }

  /** What the kernel answers to a cursor: what is missing, or a snapshot. */
  after(cursor: number | null): WireEvent[] {
    if (cursor === null || cursor < this.first || cursor > this.last) return [this.snapshot()];
    return this.events.slice(cursor - this.first);
  }

  private name(kind: string): string {
    this.made += 1;
    return `${kind}${this.made}`;
  }

  private begin(question: string): void {
    const id = this.name("a");
    this.questions.push(question);
    this.running = { id, text: "", tokens: 0, thoughts: 0 };
    this.leaf = id;
    const answer = message({ id, role: "assistant", parent_id: question, status: "streaming" });
    this.emit("message", { message: answer });
    this.emit("leaf", { leaf_id: id });
    this.emit("status", { status: "thinking" });
  }

  private idle(): void {
    this.running = null;
    this.emit("status", { status: "idle" });
  }
}

const piece = fc.string({ unit: "grapheme", maxLength: 6 });

const step: fc.Arbitrary<(talk: Talk) => void> = fc.oneof(
  { weight: 6, arbitrary: piece.map((text) => (talk: Talk) => talk.token(text)) },
  { weight: 2, arbitrary: piece.map((text) => (talk: Talk) => talk.send(text)) },
  { weight: 2, arbitrary: fc.constant((talk: Talk) => talk.finish()) },
  { weight: 1, arbitrary: fc.constant((talk: Talk) => talk.finish("stopped")) },
  { weight: 1, arbitrary: fc.constant((talk: Talk) => talk.fail()) },
  { weight: 1, arbitrary: piece.map((text) => (talk: Talk) => talk.think(text)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("running", "done").map((s) => (talk: Talk) => talk.tool(s)),
  },
  { weight: 1, arbitrary: fc.constant((talk: Talk) => talk.retry()) },
  { weight: 1, arbitrary: fc.constant((talk: Talk) => talk.regenerate()) },
  { weight: 1, arbitrary: fc.constant((talk: Talk) => talk.clear()) },
  { weight: 1, arbitrary: fc.constant((talk: Talk) => talk.takeBack()) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("up", "down", null).map((v) => (talk: Talk) => talk.feedback(v)),
  },
  { weight: 1, arbitrary: piece.map((text) => (talk: Talk) => talk.notice(text)) },
);

export const steps = fc.array(step, { minLength: 1, maxLength: 60 });

/** Talks of every kind; each begins with a question, or little would ever happen. */
export const talks: fc.Arbitrary<Talk> = steps.map((list) => {
  const talk = new Talk();
  talk.send("?");
  for (const act of list) act(talk);
  return talk;
});

/** A state as plain values, without notices: a snapshot has none. */
export function plain(state: ChatState): unknown {
  const { notices: _, messages, ...rest } = state;
  return { ...rest, messages: [...messages.entries()] };
}
