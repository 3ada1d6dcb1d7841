import { afterEach, describe, expect, it, vi } from "vitest";
import samples from "../../../tests/wire/commands.json";
import { isUnreachable } from "../../src/transport/errors";
import { type Command, makeRoad } from "../../src/transport/http";
import { flush, Network, TIMERS } from "./wire";

const TOKEN = "very-secret";

function setup(transport: "direct" | "proxy" = "direct", base = "http://127.0.0.1:4711") {
  const net = new Network();
  const road = makeRoad({ fetch: net.fetch, base, transport, token: TOKEN, instance: "k1" });
  return { net, road };
}

afterEach(() => {
  vi.useRealTimers();
});

describe("the token", () => {
  it("goes as Authorization directly, and under our own name through Jupyter's proxy", async () => {
    const direct = setup();
    void direct.road.earlier("s1", "m1");
    expect(direct.net.asked[0]?.headers.get("authorization")).toBe(`Bearer ${TOKEN}`);
    expect(direct.net.asked[0]?.init.credentials).toBe("omit");

    const proxy = setup("proxy", "/user/me/proxy/4711");
    void proxy.road.earlier("s1", "m1");
    const asked = proxy.net.asked[0];
    expect(asked?.headers.get("x-kernelchat-token")).toBe(TOKEN);
    expect(asked?.headers.has("authorization")).toBe(false);
    expect(asked?.init.credentials).toBe("same-origin");
    expect(asked?.path).toBe("/user/me/proxy/4711/api/sessions/s1/messages");
  });

  it("is in no URL, no body and no property, and follows no redirect", () => {
    const { net, road } = setup();
    void road.earlier("s1", "m1").catch(() => undefined);
    void road.command("s1", samples[0] as Command).catch(() => undefined);
    void road.events({ s1: 3 }, ["v"], new AbortController().signal).next();
    expect(net.asked).toHaveLength(3);
    for (const { url, init } of net.asked) {
      expect(url).not.toContain(TOKEN);
      expect(String(init.body)).not.toContain(TOKEN);
      expect(init).toMatchObject({
        redirect: "error",
        cache: "no-store",
        referrerPolicy: "no-referrer",
      });
    }
    expect(JSON.stringify(road)).not.toContain(TOKEN);
  });
});

describe("commands", () => {
  it("go as the samples of the wire have them", async () => {
    for (const sample of samples as unknown as Command[]) {
      const { net, road } = setup();
      const receipt = road.command("a/b", sample);
      const asked = net.next("/api/sessions/a%2Fb/commands");
      expect(asked.init.method).toBe("POST");
      expect(asked.headers.get("content-type")).toBe("application/json");
      expect(asked.body).toEqual(sample);
      asked.json(202, { command_id: sample.command_id, event_id: 9 });
      expect(await receipt).toEqual({ command_id: sample.command_id, event_id: 9 });
    }
  });

  it("are refused with the kernel's words", async () => {
    const { net, road } = setup();
    const receipt = road.command("s1", samples[0] as Command);
    net.next("/commands").json(400, { error: { kind: "input", message: "The text is empty." } });
    await expect(receipt).rejects.toMatchObject({
      name: "Refused",
      kind: "input",
      message: "The text is empty.",
      status: 400,
    });
  });

  it("reach nobody where the answer is not the kernel's", async () => {
    for (const answer of [
      (net: Network) => net.next("/commands").fail(),
      (net: Network) => net.next("/commands").text(200, "<html>"),
      (net: Network) => net.next("/commands").text(403, "Forbidden"),
      (net: Network) => net.next("/commands").json(502, { error: { kind: "x", message: "y" } }),
    ]) {
      const { net, road } = setup();
      const receipt = road.command("s1", samples[0] as Command);
      answer(net);
      await expect(receipt).rejects.toMatchObject({ name: "Unreachable", kind: "connection" });
    }
  });

  it("are given up when no answer comes", async () => {
    vi.useFakeTimers(TIMERS);
    const { road, net } = setup();
    const receipt = road.command("s1", samples[0] as Command).catch((error: unknown) => error);
    vi.advanceTimersByTime(10_000);
    expect(isUnreachable(await receipt)).toBe(true);
    expect(net.asked[0]?.aborted).toBe(true);
  });
});

describe("events", () => {
  it("ask for exactly an event stream, with cursors and views", async () => {
    const { net, road } = setup();
    const stream = road.events({ s1: 7, s2: null }, ["v1"], new AbortController().signal);
    const first = stream.next();
    const asked = net.next("/api/events");
    expect(asked.headers.get("accept")).toBe("text/event-stream");
    expect(asked.body).toEqual({ cursors: { s1: 7, s2: null }, views: ["v1"] });
    asked.sse().event("token", { id: 8, session_id: "s1" });
    expect((await first).value).toEqual([{ event: "token", data: { id: 8, session_id: "s1" } }]);
    await stream.return();
  });

  it("that are not JSON break the connection", async () => {
    const { net, road } = setup();
    const first = road.events({}, [], new AbortController().signal).next();
    net.next("/api/events").sse().push("event: token\ndata: {oops\n\n");
    await expect(first).rejects.toMatchObject({ name: "Unreachable" });
    await flush();
    expect(net.asked[0]?.aborted).toBe(true);
  });
});

describe("earlier messages", () => {
  it("come with whether there are more", async () => {
    const { net, road } = setup();
    const earlier = road.earlier("s1", "m 1");
    const asked = net.next("/messages");
    expect(asked.query.get("before")).toBe("m 1");
    asked.json(200, { messages: [{ id: "m0" }], has_more: true });
    expect(await earlier).toEqual({ messages: [{ id: "m0" }], has_more: true });
  });
});
