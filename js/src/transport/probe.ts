/**
 * Finds out whether the kernel can be reached over HTTP from this page, and gets its token.
 *
 * Whoever listens at the address must first prove to be this kernel: it answers a random number,
 * and sends the token over the comm, which only the kernel's own page can read. The number comes
 * twice with a pause between, since a proxy that keeps both back would keep tokens back as well.
 */

import { isFields } from "../state/message";
import type { Transport } from "../state/types";
import { isRefused, isUnreachable, Unreachable } from "./errors";
import { makeRoad, type Road, requestInit } from "./http";
import { ACCEPT, type Fetch, readSse } from "./sse";

/** What of the page decides how the kernel can be reached; see `host.ts`. */
export interface PageFacts {
  readonly protocol: string;
  readonly hostname: string;
  /** The path under which Jupyter serves, null where the page is not Jupyter's. */
  readonly jupyterBase: string | null;
  /** Whether the page may reach loopback addresses already. Must not ask the user. */
  loopbackGranted(): Promise<boolean>;
}

export interface Candidate {
  readonly transport: Road["transport"];
  readonly base: string;
  /** Milliseconds for both events and the token. */
  readonly timeout: number;
}

export type TransportChoice = "auto" | Transport;

const DIRECT_MS = 1_500;
const PROXY_MS = 3_000;
/** The kernel's pause is 150 ms; a busy page may see half of it. */
const APART_MS = 80;

const isLoopback = (hostname: string) =>
  hostname === "localhost" ||
  hostname === "[::1]" ||
  /^127(\.\d{1,3}){3}$/.test(hostname) ||
  hostname.endsWith(".localhost");

/** The ways worth a try from this page, best first; DESIGN.md section 6. */
export async function candidates(
  page: PageFacts,
  port: number,
  choice: TransportChoice = "auto",
): Promise<Candidate[]> {
  if (port === 0 || choice === "comm") return [];
  const direct: Candidate = {
    transport: "direct",
    base: `http://127.0.0.1:${port}`,
    timeout: DIRECT_MS,
  };
  const base = page.jupyterBase;
  const proxy: Candidate[] =
    base === null
      ? []
      : [
          {
            transport: "proxy",
            base: `${base.replace(/\/*$/, "")}/proxy/${port}`,
            timeout: PROXY_MS,
          },
        ];

  const found: Candidate[] = [];
  if (isLoopback(page.hostname)) found.push(direct, ...proxy);
  // VS Code in a browser has an https origin, and its loopback is another machine's.
  else if (page.protocol === "vscode-webview:") found.push(direct);
  else if (base !== null) {
    found.push(...proxy);
    if (await page.loopbackGranted()) found.push(direct);
  }
  return found.filter((candidate) => choice === "auto" || candidate.transport === choice);
}

export interface ProbeOptions {
  readonly fetch: Fetch;
  readonly instance: string;
  /** The widget over whose comm the token is to come. */
  readonly view: string;
  /** Resolves with the token that came with `c`. */
  grant(c: string, signal: AbortSignal): Promise<string>;
}

export type ProbeResult =
  | { readonly road: Road }
  /** stranger: another kernel listens there; unreachable: nobody, or nobody who streams. */
  | { readonly failed: "stranger" | "unreachable" };

/** Asks one candidate. Never throws for what a network or a stranger may do. */
export async function probe(candidate: Candidate, options: ProbeOptions): Promise<ProbeResult> {
  const { fetch, instance, view } = options;
  const { base, transport, timeout } = candidate;
  const c = randomId();
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(new Unreachable("The probe took too long.")), timeout);
  // Asked for first: the token may be here before the answer is.
  const token = options.grant(c, over.signal);
  // Where the probe fails first nobody waits for the token any more.
  token.catch(() => undefined);
  try {
    const url = `${base}/api/probe?c=${c}&view=${encodeURIComponent(view)}`;
    const init = { ...requestInit(transport), headers: { Accept: ACCEPT } };
    const seen: number[] = [];
    for await (const batch of readSse({ fetch, url, init, signal: over.signal })) {
      for (const event of batch) {
        if (event.event !== "probe") continue;
        const data: unknown = JSON.parse(event.data);
        if (!isFields(data) || data.c !== c) throw new Unreachable("Not an answer to this probe.");
        if (data.instance !== instance) return { failed: "stranger" };
        seen.push(performance.now());
      }
      if (seen.length > 1) break;
    }
    const [first, second] = seen;
    if (first === undefined || second === undefined || second - first < APART_MS) {
      return { failed: "unreachable" };
    }
    return { road: makeRoad({ fetch, base, transport, instance, token: await token }) };
  } catch (error) {
    const expected = isRefused(error) || isUnreachable(error) || error instanceof SyntaxError;
    if (!expected) throw error;
    return { failed: "unreachable" };
  } finally {
    clearTimeout(timer);
    over.abort(new Unreachable("The probe is over."));
  }
}

/** 128 random bits. Not randomUUID: that one is missing on plain http pages. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
