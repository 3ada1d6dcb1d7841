import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Hub } from "../../src/transport/hub";
import { flowing, Kernel } from "./kernel";
import { flush, Network, TIMERS, wait } from "./wire";

beforeEach(() => {
  vi.useFakeTimers(TIMERS);
  vi.spyOn(Math, "random").mockReturnValue(1);
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("a stream that breaks", () => {
  it("comes back from the cursor, with growing pauses", async () => {
    const { kernel, line } = await flowing();
    kernel.talk.send("hi");
    kernel.talk.token("one ");
    line.flow();
    await flush();
    kernel.talk.token("two");
    line.body.break();
    await flush();
    expect(kernel.phase).toBe("lost");
    expect(kernel.transport).toBe("direct");
    await wait(499);
    expect(kernel.net.waiting("/api/events")).toEqual([]);
    await wait(1);
    kernel.net.next("/api/events").fail();
    await flush();
    await wait(999);
    expect(kernel.net.waiting("/api/events")).toEqual([]);
    await wait(1);
    await kernel.accept();
    expect(kernel.phase).toBe("open");
    expect(kernel.text).toBe("hi|one two");
  });

  it("spreads its tries", async () => {
    vi.mocked(Math.random).mockReturnValue(0);
    const { kernel, line } = await flowing();
    line.body.end();
    await flush();
    await wait(250);
    expect(kernel.net.waiting("/api/events")).toHaveLength(1);
  });

  it("is only tried anew, not replaced, while frames bring what it lacks", async () => {
    const { kernel, line } = await flowing();
    kernel.talk.send("hi");
    line.flow();
    await flush();
    line.body.break();
    await flush();
    kernel.talk.token("x");
    kernel.frame(kernel.talk.last - 2);
    expect(kernel.phase).toBe("open");
    await flush();
    expect(kernel.net.waiting("/api/events")).toEqual([]);
    await wait(500);
    const asked = kernel.net.next("/api/events");
    expect(asked.body.cursors).toEqual({ s1: kernel.talk.last });
  });

  it("gives way to the comm after three failures, and is looked for later", async () => {
    const { kernel, line } = await flowing();
    kernel.talk.send("hi");
    line.flow();
    await flush();
    const cursor = kernel.talk.last;
    kernel.talk.token("x");
    line.body.break();
    await flush();
    for (let i = 0; i < 2; i += 1) {
      await wait(2_000);
      kernel.net.next("/api/events").fail();
      await flush();
    }
    expect(kernel.transport).toBe("comm");
    expect(kernel.phase).toBe("lost");
    expect(kernel.port.sent).toMatchObject([{ type: "hello", transport: "comm", after: cursor }]);
    kernel.answerHellos();
    expect(kernel.phase).toBe("open");
    expect(kernel.text).toBe("hi|x");
    expect(kernel.net.waiting("/api/probe")).toEqual([]);

    await wait(2_000);
    await kernel.prove();
    expect(kernel.transport).toBe("direct");
    expect(kernel.port.take("hello")).toMatchObject([{ transport: "direct" }]);
    await kernel.accept();
    kernel.talk.finish();
    kernel.frame(kernel.talk.last - 2);
    expect(kernel.text).toBe("hi|x");
  });

  it("counts its failures from the last event on", async () => {
    let { kernel, line } = await flowing();
    for (let i = 0; i < 10; i += 1) {
      line.body.break();
      await flush();
      await wait(500);
      line = await kernel.accept();
    }
    expect(kernel.transport).toBe("direct");
  });

  it("gives way at once when it fell silent: it stood, and nothing came", async () => {
    const { kernel, line } = await flowing();
    kernel.talk.send("hi");
    line.flow();
    await flush();
    await wait(35_000);
    expect(kernel.transport).toBe("comm");
    expect(kernel.port.take("hello")).toMatchObject([{ transport: "comm" }]);
  });

  it("gives way where it cannot be opened, as in a seventh tab, and the comm serves the view", async () => {
    const { kernel, line } = await flowing();
    line.body.end();
    await flush();
    await wait(500);
    expect(kernel.openStreams).toHaveLength(1);
    await wait(5_000);
    expect(kernel.openStreams).toEqual([]);
    expect(kernel.transport).toBe("comm");
    expect(kernel.port.take("hello")).toMatchObject([{ transport: "comm" }]);
    kernel.talk.send("hi");
    kernel.frame(kernel.talk.last - 4);
    expect(kernel.text).toContain("hi");
  });

  it("goes by comm on a 401, and is proved anew at once", async () => {
    const { kernel, line } = await flowing();
    line.body.end();
    await flush();
    await wait(500);
    const error = { kind: "auth", message: "No." };
    kernel.net.next("/api/events").json(401, { error });
    await flush();
    expect(kernel.transport).toBe("comm");
    await kernel.prove();
    expect(kernel.transport).toBe("direct");
  });

  it("leaves the road when another kernel answers on it", async () => {
    const { kernel, line } = await flowing();
    line.body.end();
    await flush();
    await wait(500);
    const data = { session_id: "s1", instance: "k2" };
    kernel.net.next("/api/events").sse().event("connected", data);
    await flush();
    expect(kernel.transport).toBe("comm");
    expect(kernel.openStreams).toEqual([]);
  });

  it("stays closed once the chat is", async () => {
    const { kernel, line } = await flowing();
    kernel.talk.emit("status", { status: "closed" });
    line.flow();
    await flush();
    line.body.end();
    await flush();
    await wait(60_000);
    expect(kernel.net.waiting("/api/events")).toEqual([]);
    expect(kernel.phase).toBe("open");
    expect(kernel.chat.state().status).toBe("closed");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("goes without the one chat that the kernel has no more", async () => {
    const network = new Network();
    const hub = new Hub();
    const one = new Kernel({ session: "s1", network, hub });
    const two = new Kernel({ session: "s2", network, hub });
    await one.prove();
    const error = { error: { kind: "not_found", message: "No such talk." } };
    network.next("/api/events").json(404, error);
    await flush();
    expect(network.next("/api/events").body.cursors).toEqual({ s1: null });
    network.next("/api/events").json(404, error);
    await flush();
    expect(network.next("/api/events").body.cursors).toEqual({ s2: null });
    network.next("/api/events").sse().event("connected", { session_id: "s2", instance: "k1" });
    await flush();
    expect(network.next("/api/events").body.cursors).toEqual({ s2: null });
    await two.accept();
    expect(one.transport).toBe("comm");
    expect(one.port.sent.at(-1)).toMatchObject({ type: "hello", transport: "comm" });
    expect(two.transport).toBe("direct");
  });
});
