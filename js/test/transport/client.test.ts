import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ChatClient, type ClientOptions } from "../../src/transport/client";
import { type Body, flush, Network, TIMERS } from "./wire";

beforeEach(() => {
  vi.useFakeTimers(TIMERS);
  vi.spyOn(Math, "random").mockReturnValue(1);
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function setup(options: Partial<ClientOptions> = {}) {
  const net = new Network();
  const said: string[] = [];
  const client = new ChatClient({
    url: "http://127.0.0.1:4711",
    token: "secret",
    sessionId: "s1",
    fetch: net.fetch,
    onToken: ({ text, fullText }) => said.push(`token ${text} (${fullText})`),
    onDone: (fullText) => said.push(`done ${fullText}`),
    onError: ({ kind, message }) => said.push(`error ${kind}: ${message}`),
    onStatus: (status) => said.push(status),
    ...options,
  });
  const chat = () => net.next("/api/chat/stream");
  return { net, said, client, chat };
}

/** The answer to one question, as the kernel streams it. */
function write(body: Body, tokens: readonly string[], from = 0): void {
  body.event("connected", { session_id: "s1" }, 100 + from);
  tokens.forEach((text, i) => {
    const index = from + i;
    const data = { session_id: "s1", message_id: "a1", index, text };
    body.event("token", data, 101 + index);
  });
}

const done = (body: Body, fullText: string) =>
  body.event("done", { session_id: "s1", message_id: "a1", fullText, finish_reason: "stop" }, 200);

describe("a question", () => {
  it("is asked as the endpoint wants it", () => {
    const { client, chat } = setup();
    void client.send("hi").catch(() => undefined);
    const asked = chat();
    expect(asked.url).toBe("http://127.0.0.1:4711/api/chat/stream");
    expect(asked.init.method).toBe("POST");
    expect(asked.headers.get("authorization")).toBe("Bearer secret");
    expect(asked.headers.get("accept")).toBe("text/event-stream");
    expect(asked.headers.has("last-event-id")).toBe(false);
    const { command_id, ...rest } = asked.body;
    expect(rest).toEqual({ message: "hi", session_id: "s1" });
    expect(command_id).toMatch(/^[0-9a-f]{32}$/);
  });

  it("takes the endpoint's own address as well, and makes up a session", () => {
    const url = "http://127.0.0.1:4711/api/chat/stream";
    const { client, chat, net } = setup({ url });
    void client.send("hi").catch(() => undefined);
    expect(chat().url).toBe(url);
    const options = { url, token: "secret", fetch: net.fetch };
    const [one, two] = [new ChatClient(options), new ChatClient(options)];
    expect(one.sessionId).toMatch(/^[0-9a-f]{32}$/);
    expect(one.sessionId).not.toBe(two.sessionId);
  });

  it("is answered token by token, and whole in the end", async () => {
    const { client, chat, said } = setup();
    const answer = client.send("hi");
    const body = chat().sse();
    write(body, ["Hel", "lo"]);
    done(body, "Hello");
    expect(await answer).toBe("Hello");
    expect(said).toEqual([
      "connecting",
      "thinking",
      "writing",
      "token Hel (Hel)",
      "token lo (Hello)",
      "idle",
      "done Hello",
    ]);
  });

  it("is answered alike however the bytes are cut and lines end", async () => {
    vi.useRealTimers();
    const cuts = fc.array(fc.nat({ max: 400 }), { maxLength: 10 });
    const words = fc.array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 5 }), {
      minLength: 1,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(words, fc.constantFrom("\n", "\r\n"), cuts, async (tokens, nl, at) => {
        const { client, chat, said } = setup();
        const answer = client.send("?");
        const fullText = tokens.join("");
        const text = [
          ...tokens.map((one) => `event: token${nl}data: ${JSON.stringify({ text: one })}`),
          `event: done${nl}data: ${JSON.stringify({ fullText })}`,
          "",
        ].join(nl + nl);
        const bytes = new TextEncoder().encode(text);
        const body = chat().sse();
        let from = 0;
        for (const end of [...at.sort((a, b) => a - b), bytes.length]) {
          body.push(bytes.slice(from, end));
          from = Math.max(from, Math.min(end, bytes.length));
        }
        expect(await answer).toBe(fullText);
        expect(said.filter((line) => line.startsWith("token"))).toHaveLength(tokens.length);
      }),
      { numRuns: 60 },
    );
  });
});

describe("several questions", () => {
  it("are asked one at a time, in order, whatever becomes of them", async () => {
    const { client, net } = setup();
    const answers = ["one", "two", "three"].map((text) =>
      client.send(text).catch((error: Error) => error.message),
    );
    expect(client.waiting).toBe(2);
    for (const [i, text] of ["one", "two", "three"].entries()) {
      await flush();
      expect(net.to("/api/chat/stream")).toHaveLength(i + 1);
      const asked = net.next("/api/chat/stream");
      expect(asked.body.message).toBe(text);
      const body = asked.sse();
      if (text === "two") body.event("error", { kind: "server", message: "It broke." });
      else done(body, `re: ${text}`);
    }
    expect(await Promise.all(answers)).toEqual(["re: one", "It broke.", "re: three"]);
  });
});

describe("a connection that breaks", () => {
  it("goes on where it was, and the model is not asked again", async () => {
    const { client, chat, said } = setup();
    const answer = client.send("hi");
    const first = chat();
    const body = first.sse();
    write(body, ["Hel"]);
    await flush();
    body.break();
    await flush();
    vi.advanceTimersByTime(500);
    await flush();
    const second = chat();
    expect(second.body).toEqual(first.body);
    expect(second.headers.get("last-event-id")).toBe("101");
    const rest = second.sse();
    rest.event("connected", { session_id: "s1" }, 101);
    rest.event("token", { message_id: "a1", index: 1, text: "lo" }, 102);
    done(rest, "Hello");
    expect(await answer).toBe("Hello");
    expect(said.filter((line) => line.startsWith("token"))).toEqual([
      "token Hel (Hel)",
      "token lo (Hello)",
    ]);
  });

  it("is over where all was delivered already", async () => {
    const { client, chat } = setup();
    const answer = client.send("hi");
    const body = chat().sse();
    write(body, ["Hello"]);
    await flush();
    body.end();
    await flush();
    vi.advanceTimersByTime(500);
    await flush();
    chat().nothing();
    expect(await answer).toBe("Hello");
  });

  it("starts from the first token where the kernel does", async () => {
    const { client, chat } = setup();
    const answer = client.send("hi");
    const body = chat().sse();
    write(body, ["Hel"]);
    await flush();
    body.break();
    await flush();
    vi.advanceTimersByTime(500);
    await flush();
    const again = chat().sse();
    write(again, ["Hel", "lo"]);
    await flush();
    again.event("done", { message_id: "a1", finish_reason: "stop" }, 200);
    expect(await answer).toBe("Hello");
  });

  it("is given up after four tries, and a retry goes on with the same turn", async () => {
    const { client, net, chat, said } = setup();
    const answer = client.send("hi").catch((error: unknown) => error);
    const body = chat().sse();
    write(body, ["Hel"]);
    await flush();
    body.break();
    await flush();
    while (said.at(-1)?.startsWith("error") !== true) {
      vi.advanceTimersByTime(8_000);
      for (const asked of net.waiting("/api/chat/stream")) asked.fail();
      await flush();
    }
    expect(await answer).toMatchObject({ kind: "connection", text: "Hel" });
    expect(net.to("/api/chat/stream")).toHaveLength(4);
    const retried = client.retry();
    const asked = chat();
    expect(asked.body).toEqual(net.asked[0]?.body);
    expect(asked.headers.get("last-event-id")).toBe("101");
    const rest = asked.sse();
    rest.event("connected", { session_id: "s1" }, 101);
    done(rest, "Hello");
    expect(await retried).toBe("Hello");
  });
});

describe("a turn that failed", () => {
  it("says why, keeps what had come, and is asked anew on retry", async () => {
    const { client, chat, said, net } = setup();
    const answer = client.send("hi").catch((error: unknown) => error);
    const body = chat().sse();
    write(body, ["Hel"]);
    body.event("error", { kind: "rate_limit", message: "Slow down." });
    expect(await answer).toMatchObject({
      name: "ChatClientError",
      kind: "rate_limit",
      message: "Slow down.",
      text: "Hel",
    });
    expect(said.slice(-2)).toEqual(["failed", "error rate_limit: Slow down."]);
    const retried = client.retry();
    const asked = chat();
    expect(asked.body.message).toBe("hi");
    expect(asked.body.command_id).not.toBe(net.asked[0]?.body.command_id);
    expect(asked.headers.has("last-event-id")).toBe(false);
    done(asked.sse(), "Hello");
    expect(await retried).toBe("Hello");
    await expect(client.retry()).rejects.toMatchObject({ kind: "input" });
  });

  it("may be refused before it starts", async () => {
    const { client, chat } = setup();
    const answer = client.send("");
    chat().json(400, { error: { kind: "input", message: "The text is empty." } });
    await expect(answer).rejects.toMatchObject({ kind: "input", message: "The text is empty." });
  });

  it("may not be a stream at all", async () => {
    const { client, chat, said, net } = setup();
    const answer = client.send("hi").catch((error: unknown) => error);
    chat().text(200, "<html>Log in</html>");
    await flush();
    while (said.at(-1)?.startsWith("error") !== true) {
      vi.advanceTimersByTime(8_000);
      for (const asked of net.waiting("/api/chat/stream")) asked.text(200, "<html>");
      await flush();
    }
    expect(await answer).toMatchObject({ kind: "connection" });
  });
});

describe("an abort", () => {
  it("closes the connection, tells the kernel, and then asks the next question", async () => {
    const { client, chat, net, said } = setup();
    const first = client.send("one").catch((error: unknown) => error);
    const second = client.send("two");
    const asked = chat();
    write(asked.sse(), ["Hel"]);
    await flush();
    client.abort();
    client.abort();
    expect(await first).toMatchObject({ kind: "cancelled", text: "Hel" });
    await flush();
    expect(asked.aborted).toBe(true);
    expect(said.at(-1)).toBe("idle");
    expect(net.waiting("/api/chat/stream")).toEqual([]);
    const stop = net.next("/api/sessions/s1/commands");
    const { command_id, ...command } = stop.body;
    expect(command).toEqual({ type: "stop", message_id: "a1" });
    expect(command_id).toMatch(/^[0-9a-f]{32}$/);
    expect(stop.headers.get("authorization")).toBe("Bearer secret");
    stop.json(202, { command_id, event_id: 9 });
    await flush();
    expect(chat().body.message).toBe("two");
    done(chat().sse(), "second");
    expect(await second).toBe("second");
    expect(net.to("/commands")).toHaveLength(1);
  });

  it("before the first token stops what runs, and goes on though the kernel is gone", async () => {
    const { client, net } = setup();
    const first = client.send("one").catch((error: unknown) => error);
    await flush();
    client.abort();
    expect(await first).toMatchObject({ kind: "cancelled" });
    await flush();
    const stop = net.next("/commands");
    expect(stop.body).toEqual({ type: "stop", command_id: stop.body.command_id });
    stop.fail();
    await flush();
    void client.send("two").catch(() => undefined);
    expect(net.next("/api/chat/stream").body.message).toBe("two");
  });

  it("also ends the wait between two tries", async () => {
    const { client, chat, net } = setup();
    const answer = client.send("one").catch((error: unknown) => error);
    chat().fail();
    await flush();
    client.abort();
    await flush();
    net.next("/commands").json(202, { event_id: 1 });
    expect(await answer).toMatchObject({ kind: "cancelled" });
  });

  it("with nothing to end does nothing", () => {
    const { client, net } = setup();
    client.abort();
    expect(net.asked).toEqual([]);
  });
});

describe("a hook that throws", () => {
  it("loses no answer, and is heard of", async () => {
    const faults: unknown[] = [];
    vi.spyOn(globalThis, "queueMicrotask").mockImplementation((act) => {
      try {
        act();
      } catch (error) {
        faults.push(error);
      }
    });
    const fault = new Error("their bug");
    const { client, chat } = setup({
      onToken: () => {
        throw fault;
      },
    });
    const answer = client.send("hi");
    const body = chat().sse();
    write(body, ["Hello"]);
    done(body, "Hello");
    expect(await answer).toBe("Hello");
    expect(faults).toEqual([fault]);
  });
});
