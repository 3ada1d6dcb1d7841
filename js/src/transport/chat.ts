/**
 * A conversation as its views hold it: the state, and the roads that bring events and take commands.
 *
 * It begins on the comm at once and moves to HTTP when the hub finds a road. Whichever road an event
 * comes by, the state's cursor lets it in once, so roads may overlap and nothing is handed over.
 */

import { isFields } from "../state/message";
import { EMPTY_STATE, eventId, reduceAll, withEarlier } from "../state/reduce";
import { isAstray, path } from "../state/select";
import type {
  Chat,
  ChatState,
  CommandRequest,
  Connection,
  Kept,
  KeptSession,
  WireEvent,
} from "../state/types";
import { Comm, type CommPort } from "./comm";
import { Delivery } from "./delivery";
import { isRefused, Unreachable } from "./errors";
import type { KeptAnswer, KeptRequest, Road } from "./http";
import type { Hub, Member } from "./hub";
import { type Candidate, type ProbeResult, probe, randomId } from "./probe";
import type { Fetch } from "./sse";
import { report } from "./timing";

export interface ChatOptions {
  readonly sessionId: string;
  readonly instance: string;
  /** The widget whose comm this is; the kernel answers probes there. */
  readonly widgetId: string;
  /** Null on a page of its own. */
  readonly comm: CommPort | null;
  /** Null where HTTP is off. */
  readonly hub: Hub | null;
  readonly fetch: Fetch;
  /** Of the page, for the kernel to let in. */
  readonly origin: string;
  /**
   * The event at which the talk was empty, 0 if it never was. A view begins there, so that frames
   * can be applied though the cell that shows it still runs and no hello gets through.
   */
  readonly start?: number;
  /** For a page, which nobody else tells: the chat shows that conversation now. */
  turned?(sessionId: string): void;
  candidates(): Promise<readonly Candidate[]>;
}

/**
 * Milliseconds until a frame is asked for again. The first request may wait behind a running cell,
 * and each further one would wait with it.
 */
const ASK_AGAIN_MS = 5_000;

export class KernelChat implements Chat, Member {
  readonly sessionId: string;
  readonly view = randomId();

  readonly #options: ChatOptions;
  readonly #hub: Hub | null;
  readonly #comm: Comm | null;
  readonly #delivery: Delivery;
  readonly #listeners = new Set<() => void>();
  readonly #leave: () => void;
  #current: ChatState;
  /** The kernel was heard at least once. */
  #heard = false;
  /** A road broke, and nothing was heard since. */
  #stale = false;
  #hadRoad = false;
  #askedAt = Number.NEGATIVE_INFINITY;
  /** The leaf for which a snapshot was asked, since it was never loaded. */
  #soughtLeaf: string | null = null;
  #renewing = false;
  #loading: Promise<void> | null = null;

  constructor(options: ChatOptions) {
    this.#options = options;
    this.#current = options.start ? { ...EMPTY_STATE, cursor: options.start } : EMPTY_STATE;
    this.sessionId = options.sessionId;
    this.#hub = options.hub;
    this.#comm = options.comm && this.#makeComm(options.comm);
    this.#delivery = new Delivery({
      sessionId: options.sessionId,
      comm: this.#comm,
      road: () => this.#road,
      failed: (road, error) => this.#roadFailed(road, error),
    });
    this.#comm?.hello("comm", this.#current.cursor);
    this.#leave = this.#hub?.join(this) ?? (() => undefined);
    // A road that was there before us: the kernel must know that we use it.
    if (this.#road !== null) this.roadChanged();
  }

  // Chat: what views use

  state(): ChatState {
    return this.#current;
  }

  connection(): Connection {
    return {
      phase: this.#phase(),
      transport: this.#road?.transport ?? "comm",
      waiting: this.#comm?.waiting ?? false,
    };
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async command(request: CommandRequest): Promise<void> {
    const receipt = await this.#delivery.send({ ...request, command_id: randomId() });
    const { cursor } = this.#current;
    // Its events are in the log, and nothing here has brought them yet.
    if (cursor === null || receipt.event_id > cursor) this.#lookOnRoad();
  }

  readonly kept: Kept = {
    list: async () => {
      const { sessions } = await this.#ask({ action: "list" });
      return Array.isArray(sessions) ? sessions.filter(isKept) : [];
    },
    show: (id) => this.#turn(id === null ? { action: "new" } : { action: "show", session_id: id }),
    rename: async (id, title) => {
      await this.#ask({ action: "rename", session_id: id, title });
    },
    delete: async (id) => {
      const request = { action: "delete", session_id: id } as const;
      await (id === this.sessionId ? this.#turn(request) : this.#ask(request));
    },
  };

  async #turn(request: Asked): Promise<void> {
    const { session_id } = await this.#ask(request);
    this.#options.turned?.(String(session_id));
  }

  #ask(request: Asked): Promise<KeptAnswer> {
    return this.#delivery.kept({ ...request, widget_id: this.#options.widgetId });
  }

  loadEarlier(): Promise<void> {
    this.#loading ??= this.#fetchEarlier().finally(() => {
      this.#loading = null;
    });
    return this.#loading;
  }

  /** The page was looked at again, or came back online: asks whether something was missed. */
  look(): void {
    if (this.#road === null) this.#comm?.hello("comm", this.cursor());
    this.#hub?.look();
  }

  /** Another conversation takes its place; what was asked is still answered. */
  leave(): void {
    this.#leave();
    this.#comm?.leave();
    this.#listeners.clear();
  }

  /** The widget is gone; its views keep what they show. */
  close(): void {
    this.leave();
    this.#comm?.close();
  }

  // Member: what the hub uses

  cursor(): number | null {
    return this.#renewing ? null : this.#current.cursor;
  }

  busy(): boolean {
    const { status } = this.#current;
    return status === "thinking" || status === "writing" || status === "retrying";
  }

  closed(): boolean {
    return this.#current.status === "closed";
  }

  receive(events: readonly WireEvent[], asked: number | null): void {
    this.#apply(events, asked);
  }

  canProbe(): boolean {
    return this.#comm?.dead === false;
  }

  candidates(): Promise<readonly Candidate[]> {
    return this.#options.candidates();
  }

  probe(candidate: Candidate): Promise<ProbeResult> {
    const { fetch, instance, widgetId } = this.#options;
    const comm = this.#comm;
    if (comm === null) return Promise.resolve({ failed: "unreachable" });
    return probe(candidate, {
      fetch,
      instance,
      view: widgetId,
      grant: (c, signal) => comm.grant(c, signal),
    });
  }

  roadChanged(): void {
    const road = this.#road;
    if (this.#hub?.failing === true || (this.#hadRoad && road === null)) this.#stale = true;
    if (this.#hadRoad !== (road !== null)) {
      this.#hadRoad = road !== null;
      this.#comm?.hello(road?.transport ?? "comm", this.cursor());
      if (road !== null) this.#delivery.roadFound(road);
    }
    this.#changed();
  }

  // how

  get #road(): Road | null {
    return this.#hub?.roadFor(this) ?? null;
  }

  /**
   * "gone" disables the view, so it is said only where nothing can bring this kernel back: its comm
   * takes no message (a restart, a closed widget) and HTTP does not reach it; or another kernel
   * answers at its address and it was never heard itself (a widget drawn from a saved notebook).
   * No answer alone says nothing: the hello may wait behind a cell for an hour.
   */
  #phase(): Connection["phase"] {
    const [comm, hub, road] = [this.#comm, this.#hub, this.#road];
    if (comm === null ? hub?.gone === true || road === null : comm.dead && road === null) {
      return "gone";
    }
    if (!this.#heard) return hub?.stranger === true ? "gone" : "connecting";
    return this.#stale ? "lost" : "open";
  }

  #makeComm(port: CommPort): Comm {
    return new Comm({
      port,
      view: this.view,
      origin: this.#options.origin,
      sessionId: this.sessionId,
      cursor: () => this.#current.cursor,
      handlers: {
        frame: (events) => this.#frame(events),
        gap: () => this.#gap(),
        changed: () => this.#changed(),
      },
    });
  }

  #frame(events: readonly WireEvent[]): void {
    this.#askedAt = Number.NEGATIVE_INFINITY;
    // Something happens and nobody reads it over HTTP: this frame is also the call to do so.
    if (this.#apply(events, null)) this.#lookOnRoad();
  }

  #gap(): void {
    if (this.#road !== null) {
      this.#lookOnRoad();
      return;
    }
    const now = Date.now();
    if (now - this.#askedAt < ASK_AGAIN_MS) return;
    this.#askedAt = now;
    this.#comm?.hello("comm", this.cursor());
  }

  #lookOnRoad(): void {
    if (this.#road !== null) this.#hub?.look();
  }

  #roadFailed(road: Road, error: Error): void {
    if (isRefused(error)) this.#hub?.refuse(road);
    else this.#hub?.look();
  }

  /** Folds a batch and tells the views once; whether it brought something new. */
  #apply(events: readonly WireEvent[], asked: number | null): boolean {
    const before = this.#current;
    const fresh = !this.#heard || this.#stale;
    this.#heard = true;
    this.#stale = false;
    this.#current = reduceAll(this.#startsAnew(events, asked) ? unheld(before) : before, events);
    const news = this.#current !== before;
    if (news) this.#seekLeaf();
    if (news || fresh) this.#changed();
    return news;
  }

  /**
   * Whether a snapshot replaces even what is newer than itself. As a rule an old one is the answer
   * to another view's question; but not where we asked for one, nor where the kernel answered our
   * own cursor with less, since then its log is shorter than what we have seen.
   */
  #startsAnew(events: readonly WireEvent[], asked: number | null): boolean {
    const snapshot = events.find(({ event }) => event === "snapshot");
    const id = snapshot === undefined ? null : eventId(snapshot);
    if (id === null) return false;
    if (this.#renewing && id >= (this.#current.cursor ?? 0)) {
      this.#renewing = false;
      return true;
    }
    return asked !== null && id < asked;
  }

  /** A branch was selected that a snapshot left out: asks for one that has it, once. */
  #seekLeaf(): void {
    const { leafId } = this.#current;
    if (!isAstray(this.#current) || this.#soughtLeaf === leafId) return;
    this.#soughtLeaf = leafId;
    this.#renewing = true;
    if (this.#road === null) this.#comm?.hello("comm", null);
    else this.#hub?.refresh();
  }

  async #fetchEarlier(): Promise<void> {
    const [first] = path(this.#current);
    if (first === undefined || !this.#current.hasMore) return;
    if (this.#road === null) {
      throw new Unreachable("Earlier messages come once the kernel is reached over HTTP.");
    }
    const { messages, has_more } = await this.#road.earlier(this.sessionId, first.id);
    this.#current = withEarlier(this.#current, messages, has_more);
    this.#changed();
  }

  #changed(): void {
    if (this.#phase() === "gone") this.#comm?.giveUp();
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (error) {
        // A view that cannot draw must not cost the others their events.
        report(error);
      }
    }
  }
}

type Asked = Omit<KeptRequest, "widget_id">;

const isKept = (value: unknown): value is KeptSession =>
  isFields(value) &&
  typeof value.session_id === "string" &&
  typeof value.title === "string" &&
  typeof value.updated_at === "number";

const unheld = (state: ChatState): ChatState => ({ ...state, cursor: null });
