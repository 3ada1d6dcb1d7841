import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { isRefused, isUnreachable } from "../../src/transport/errors";
import { readSse, SILENCE_MS } from "../../src/transport/sse";
import { flush, Network, TIMERS } from "./wire";

function start(signal: AbortSignal = new AbortController().signal) {
  const net = new Network();
  const init = { headers: { Accept: "text/event-stream" } };
  const stream = readSse({ fetch: net.fetch, url: "http://k.test/events", init, signal });
  const seen: string[] = [];
  const batches: number[] = [];
  const result = (async () => {
    for await (const batch of stream) {
      batches.push(batch.length);
      seen.push(...batch.map(({ event, data }) => `${event} ${data}`));
    }
    return "ended";
  })().catch((error: unknown) => error);
  return { net, seen, batches, result, stream };
}

/** Cuts bytes into pieces at the given places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort(
    (a, b) => a - b,
  );
  const ends = [...sorted, bytes.length];
  return ends.map((end, i) => bytes.slice(i === 0 ? 0 : ends[i - 1], end));
}

describe("cuts", () => {
  const texts = fc.array(fc.string({ unit: "grapheme", maxLength: 8 }), {
    minLength: 1,
    maxLength: 8,
  });
  const endings = fc.constantFrom("\n", "\r\n", "\r");

  it("do not matter, wherever in a line, a line ending or a character they fall", async () => {
    await fc.assert(
      fc.asyncProperty(
        texts,
        endings,
        fc.array(fc.nat(), { maxLength: 12 }),
        async (list, nl, at) => {
          const { net, seen, result } = start();
          const text = list
            .map((one) => `id: 7${nl}event: token${nl}data: ${JSON.stringify(one)}${nl}${nl}`)
            .join(`: still here${nl}${nl}`);
          const body = net.next("/events").sse();
          for (const piece of cut(new TextEncoder().encode(text), at)) body.push(piece);
          // A lone CR at the very end may be half of a CRLF.
          if (nl === "\r") body.push(": end\n");
          body.end();
          expect(await result).toBe("ended");
          expect(seen).toEqual(list.map((one) => `token ${JSON.stringify(one)}`));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("hand out one byte at a time what was sent one byte at a time", async () => {
    const { net, seen, result } = start();
    const body = net.next("/events").sse();
    for (const byte of new TextEncoder().encode("event: token\r\ndata: 👩‍👩‍👧\r\n\r\n")) {
      body.push(Uint8Array.of(byte));
    }
    body.end();
    await result;
    expect(seen).toEqual(["token 👩‍👩‍👧"]);
  });
});

describe("a stream", () => {
  it("gives the events of one chunk together", async () => {
    const { net, batches, result } = start();
    const body = net.next("/events").sse();
    body.push("event: a\ndata: 1\n\nevent: b\ndata: 2\n\n");
    body.push("event: c\ndata: 3\n\n");
    body.end();
    await result;
    expect(batches).toEqual([2, 1]);
  });

  it("drops an event that was cut off", async () => {
    const { net, seen, result } = start();
    const body = net.next("/events").sse();
    body.push("event: a\ndata: 1\n\nevent: b\ndata: half");
    body.end();
    await result;
    expect(seen).toEqual(["a 1"]);
  });

  it("closes its connection when the reader stops early", async () => {
    const net = new Network();
    const { signal } = new AbortController();
    const stream = readSse({ fetch: net.fetch, url: "http://k.test/events", init: {}, signal });
    const first = stream.next();
    net.next("/events").sse().push("data: 1\n\n");
    await first;
    expect(net.asked[0]?.aborted).toBe(false);
    await stream.return();
    expect(net.asked[0]?.aborted).toBe(true);
  });

  it("is over at once after a 204", async () => {
    const { net, result } = start();
    net.next("/events").nothing();
    expect(await result).toBe("ended");
  });
});

describe("an abort", () => {
  it("ends the wait for an answer, and the stream, with its reason", async () => {
    for (const answered of [false, true]) {
      const abort = new AbortController();
      const { net, result } = start(abort.signal);
      if (answered) net.next("/events").sse();
      await flush();
      const reason = new Error("enough");
      abort.abort(reason);
      expect(await result).toBe(reason);
    }
  });
});

describe("an answer that is no stream", () => {
  const failureOf = async (answer: (net: Network) => void) => {
    const { net, result } = start();
    answer(net);
    return result;
  };

  it("is the kernel's refusal where it says so", async () => {
    const error = await failureOf((net) =>
      net.next("/events").json(401, { error: { kind: "auth", message: "No." } }),
    );
    expect(isRefused(error)).toBe(true);
    expect(error).toMatchObject({ kind: "auth", status: 401, message: "No." });
  });

  it.each([
    ["a login page", (net: Network) => net.next("/events").text(200, "<html>Log in</html>")],
    ["a proxy's own 404", (net: Network) => net.next("/events").text(404, "Not Found")],
    ["a proxy's word for a dead port", (net: Network) => net.next("/events").text(500, "oops")],
    ["JSON with status 200", (net: Network) => net.next("/events").json(200, {})],
    ["a refused connection", (net: Network) => net.next("/events").fail()],
  ])("is nobody's: %s", async (_, answer) => {
    expect(isUnreachable(await failureOf(answer))).toBe(true);
  });

  it("breaks in the middle as unreachable", async () => {
    const { net, result } = start();
    const body = net.next("/events").sse();
    body.push("data: 1\n\n");
    await flush();
    body.break();
    expect(isUnreachable(await result)).toBe(true);
  });
});

describe("silence", () => {
  beforeEach(() => {
    vi.useFakeTimers(TIMERS);
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("is death after 35 s, and a heartbeat is life", async () => {
    const { net, result } = start();
    const body = net.next("/events").sse();
    await flush();
    vi.advanceTimersByTime(SILENCE_MS - 1);
    body.push(": heartbeat\n\n");
    await flush();
    vi.advanceTimersByTime(SILENCE_MS - 1);
    body.push(": heartbeat\n\n");
    await flush();
    vi.advanceTimersByTime(SILENCE_MS);
    const error = await result;
    expect(isUnreachable(error) && error.silent).toBe(true);
    expect(net.asked[0]?.aborted).toBe(true);
  });

  it("counts from the request on", async () => {
    const { result } = start();
    vi.advanceTimersByTime(SILENCE_MS);
    expect(await result).toMatchObject({ silent: true });
  });

  it("leaves no timer behind", async () => {
    const { net, result } = start();
    net.next("/events").sse().end();
    await result;
    expect(vi.getTimerCount()).toBe(0);
  });
});
