/**
 * What all chats of one kernel share on a page: the road to it, and one stream of events.
 *
 * A browser opens six connections to an origin and no more, so there is at most one stream however
 * many chats there are, and none while nothing happens: the kernel then wakes its views by comm.
 */

import type { WireEvent } from "../state/types";
import { isRefused, isUnreachable } from "./errors";
import { Finder, ROUNDS } from "./finder";
import type { Cursors, Road } from "./http";
import type { Candidate, ProbeResult } from "./probe";
import { Stream } from "./stream";

/** A chat, as the hub sees it. */
export interface Member {
  readonly sessionId: string;
  /** Names its views in the kernel. */
  readonly view: string;
  /** Where its events go on; null asks for a snapshot. */
  cursor(): number | null;
  /** More is to come without being asked for. */
  busy(): boolean;
  /** Nothing will ever come again. */
  closed(): boolean;
  /** `asked` is the cursor with which this connection began. */
  receive(events: readonly WireEvent[], asked: number | null): void;
  /** The road was found or lost, or its stream broke. */
  roadChanged(): void;
  /** Its comm can bring the token. */
  canProbe(): boolean;
  candidates(): Promise<readonly Candidate[]>;
  probe(candidate: Candidate): Promise<ProbeResult>;
}

export interface HubOptions {
  /** Milliseconds without an event after which the stream closes. */
  readonly idle?: number;
  /** Only this way to the kernel exists: no comm to fall back on, none to be woken by. */
  readonly only?: {
    readonly road: Road;
    /** The stream stays open as long as this is true. */
    visible(): boolean;
  };
}

const IDLE_MS = 10_000;
/** Failures in a row (3.5 s at most) until the comm takes over. */
const PATIENCE = 3;
/** The same where there is nothing to take over: about half a minute. */
const LONG_PATIENCE = 7;

export class Hub {
  road: Road | null = null;
  /** The stream broke and has not come back yet. */
  failing = false;
  /** Another kernel answered where this one should be. */
  stranger = false;
  /** Without another road: this one has failed for long, or the kernel knows our token no more. */
  gone = false;

  readonly #options: HubOptions;
  readonly #members = new Set<Member>();
  readonly #finder: Finder;
  /** Sessions that the kernel says it does not have. */
  readonly #absent = new Set<string>();
  #stream: Stream | null = null;
  /** The views that the stream was opened for: one more may be behind the others. */
  #streamed = "";
  #lastActive = 0;
  #idleTimer: ReturnType<typeof setTimeout> | undefined;
  #settling = false;

  constructor(options: HubOptions = {}) {
    this.#options = options;
    this.#finder = new Finder(
      () => this.#findRoad(),
      (road) => this.#adopt(road),
    );
    this.road = options.only?.road ?? null;
  }

  /** Whether no chat uses this hub any more. */
  get empty(): boolean {
    return this.#members.size === 0;
  }

  /** Returns what ends the membership. */
  join(member: Member): () => void {
    this.#members.add(member);
    if (this.road === null) this.#finder.hurry();
    else this.look();
    return () => {
      this.#members.delete(member);
      this.#settleSoon();
      if (this.empty) this.#finder.stop();
    };
  }

  /** The road for that chat, null while it must go by comm. */
  roadFor(member: Member): Road | null {
    return this.#absent.has(member.sessionId) ? null : this.road;
  }

  /** Something may have happened: reads events for a while, or looks for a road again. */
  look(): void {
    this.#lastActive = Date.now();
    if (this.road === null) this.#finder.start([0]);
    else this.#settleSoon();
  }

  /** Opens the stream anew, with the cursors that the chats have now. */
  refresh(): void {
    this.#closeStream();
    this.look();
  }

  /** The kernel does not take the token of that road. */
  refuse(road: Road): void {
    // A late word about a road that was left already.
    if (road !== this.road) return;
    if (this.#options.only === undefined) this.#drop(ROUNDS);
    else this.#giveUp();
  }

  #adopt(road: Road): void {
    this.road = road;
    this.stranger = false;
    this.#absent.clear();
    this.#changed();
    // Whatever happened meanwhile is read, and if nothing goes on the stream closes again.
    this.look();
  }

  /** Leaves the road; the chats go on by comm. */
  #drop(rounds: readonly number[]): void {
    this.#closeStream();
    this.road = null;
    this.failing = false;
    this.#changed();
    if (!this.empty) this.#finder.start(rounds);
  }

  #giveUp(): void {
    this.#closeStream();
    this.gone = true;
    this.#changed();
  }

  #changed(): void {
    for (const member of [...this.#members]) member.roadChanged();
  }

  async #findRoad(): Promise<Road | null> {
    // The newest chat: its comm is the one that surely stands.
    const member = [...this.#members].reverse().find((one) => one.canProbe());
    for (const candidate of (await member?.candidates()) ?? []) {
      const result = await member?.probe(candidate);
      if (result === undefined) continue;
      if ("road" in result) return result.road;
      if (result.failed === "stranger" && !this.stranger) {
        this.stranger = true;
        this.#changed();
      }
    }
    return null;
  }

  // the stream

  #live(): Member[] {
    return [...this.#members].filter(
      (member) => !member.closed() && !this.#absent.has(member.sessionId),
    );
  }

  #wanted(live: readonly Member[]): boolean {
    const { only, idle = IDLE_MS } = this.#options;
    if (this.road === null || live.length === 0) return false;
    if (Date.now() - this.#lastActive < idle) return true;
    return only?.visible() === true || live.some((member) => member.busy());
  }

  /** Once for all chats that come or go together, as when a notebook is opened. */
  #settleSoon(): void {
    if (this.#settling) return;
    this.#settling = true;
    queueMicrotask(() => {
      this.#settling = false;
      this.#settle();
    });
  }

  /** Opens, reopens or closes the stream, whatever is due. */
  #settle(): void {
    const live = this.#live();
    if (this.road === null || !this.#wanted(live)) {
      this.#closeStream();
      return;
    }
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => this.#settle(), this.#options.idle ?? IDLE_MS);
    const streamed = live.map(({ view }) => view).join();
    if (this.#stream !== null && this.#streamed === streamed) return;
    this.#stream?.close();
    this.#streamed = streamed;
    this.#stream = this.#open(this.road);
  }

  #open(road: Road): Stream {
    return new Stream({
      road,
      cursors: () => cursorsOf(this.#live()),
      views: () => this.#live().map(({ view }) => view),
      deliver: (events, asked) => this.#deliver(road, events, asked),
      failed: (error, failures) => this.#failed(road, error, failures),
    });
  }

  #closeStream(): void {
    clearTimeout(this.#idleTimer);
    this.#stream?.close();
    this.#stream = null;
  }

  #deliver(road: Road, events: readonly WireEvent[], asked: Cursors): void {
    this.#lastActive = Date.now();
    const bySession = new Map<unknown, WireEvent[]>();
    for (const event of events) {
      const { session_id, instance } = event.data;
      if (event.event === "connected" && instance !== road.instance) {
        // Our kernel went and another one got its port; its token would not have passed, though.
        this.refuse(road);
        return;
      }
      const list = bySession.get(session_id);
      if (list === undefined) bySession.set(session_id, [event]);
      else list.push(event);
    }
    if (this.failing || this.gone) {
      this.failing = false;
      this.gone = false;
      this.#changed();
    }
    for (const member of [...this.#members]) {
      const list = bySession.get(member.sessionId);
      if (list !== undefined) member.receive(list, asked[member.sessionId] ?? null);
    }
  }

  /** Whether to try again. */
  #failed(road: Road, error: Error, failures: number): boolean {
    const live = this.#live();
    // The kernel ends a stream whose chats are all closed.
    if (live.length === 0) {
      this.#closeStream();
      return false;
    }
    const { only } = this.#options;
    if (isRefused(error) && error.status === 401) {
      this.refuse(road);
      return false;
    }
    if (isRefused(error) && error.status === 404) {
      this.#closeStream();
      void this.#sortOut(road, live);
      return false;
    }
    const silent = isUnreachable(error) && error.silent;
    if (only === undefined ? silent || failures >= PATIENCE : failures >= LONG_PATIENCE) {
      if (only === undefined) this.#drop(ROUNDS.slice(1));
      else this.#giveUp();
      return false;
    }
    this.failing = true;
    this.#changed();
    return true;
  }

  /** The kernel knows one of these sessions no more, and does not say which: asks for each. */
  async #sortOut(road: Road, live: readonly Member[]): Promise<void> {
    for (const member of live) {
      const one = new AbortController();
      try {
        const events = road.events(cursorsOf([member]), [], one.signal);
        await events.next();
        await events.return();
      } catch (error) {
        if (isRefused(error) && error.status === 404) this.#absent.add(member.sessionId);
      } finally {
        one.abort();
      }
    }
    if (this.road !== road) return;
    this.#changed();
    this.#settleSoon();
  }
}

/** Two widgets may show one conversation: the one that is behind decides. */
function cursorsOf(members: readonly Member[]): Cursors {
  const cursors: Record<string, number | null> = {};
  for (const member of members) {
    const cursor = member.cursor();
    const other = cursors[member.sessionId];
    const behind = cursor === null || other === null ? null : Math.min(cursor, other ?? cursor);
    cursors[member.sessionId] = behind;
  }
  return cursors;
}

/** Bumped when a Hub of another copy could not serve ours. */
const KEY = Symbol.for("kernelchat/1");

/** The page's hub of that name; every widget brings a copy of this code, and all share one. */
export function sharedHub(name: string, options: HubOptions = {}): Hub {
  const page = globalThis as unknown as Record<symbol, Map<string, Hub> | undefined>;
  page[KEY] ??= new Map();
  const hubs = page[KEY];
  // Kernels come and go while a page stays.
  for (const [other, hub] of hubs) if (hub.empty && other !== name) hubs.delete(other);
  const found = hubs.get(name) ?? new Hub(options);
  hubs.set(name, found);
  return found;
}
