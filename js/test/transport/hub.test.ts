import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { isRefused, isUnreachable, Refused } from "../../src/transport/errors";
import { makeRoad } from "../../src/transport/http";
import { Hub, type Member, sharedHub } from "../../src/transport/hub";
import { Kernel, type Line } from "./kernel";
import { flush, Network, TIMERS } from "./wire";

beforeEach(() => {
  vi.useFakeTimers(TIMERS);
  vi.spyOn(Math, "random").mockReturnValue(1);
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function standing(kernel = new Kernel()): Promise<{ kernel: Kernel; line: Line }> {
  kernel.answerHellos();
  await kernel.prove();
  const line = await kernel.accept();
  kernel.port.sent.length = 0;
  return { kernel, line };
}

async function wait(milliseconds: number): Promise<void> {
  vi.advanceTimersByTime(milliseconds);
  await flush();
}

const streams = ({ net }: Kernel) => net.to("/api/events");
const openStreams = (kernel: Kernel) => streams(kernel).filter((asked) => !asked.aborted);

describe("one stream for all chats", () => {
  it("is opened once for chats that come together", async () => {
    const network = new Network();
    const hub = new Hub();
    const kernels = ["s1", "s2", "s3"].map((session) => new Kernel({ session, network, hub }));
    await kernels[0]?.prove();
    const opened = network.to("/api/events");
    expect(opened).toHaveLength(1);
    expect(opened[0]?.body).toEqual({
      cursors: { s1: null, s2: null, s3: null },
      views: kernels.map(({ chat }) => chat.view),
    });
    expect(network.to("/api/probe")).toHaveLength(1);
    for (const kernel of kernels) {
      expect(kernel.port.take("hello").at(-1)).toMatchObject({ transport: "direct" });
    }
  });

  it("gives each chat its own events", async () => {
    const network = new Network();
    const hub = new Hub();
    const one = new Kernel({ session: "s1", network, hub });
    const two = new Kernel({ session: "s2", network, hub });
    await one.prove();
    const body = network.next("/api/events").sse();
    for (const { talk } of [one, two]) {
      talk.send(`to ${talk.session}`);
      const snapshot = talk.snapshot();
      body.event(snapshot.event, snapshot.data);
    }
    await flush();
    expect(one.text).toBe("to s1|");
    expect(two.text).toBe("to s2|");
  });

  it("is opened anew from the cursors when a chat comes or goes", async () => {
    const { kernel, line } = await standing();
    kernel.talk.send("hi");
    line.flow();
    await flush();
    const { net: network, hub } = kernel;
    const other = new Kernel({ session: "s2", network, hub });
    await flush();
    expect(line.open).toBe(false);
    expect(openStreams(kernel)).toHaveLength(1);
    const cursors = { s1: kernel.talk.last, s2: null };
    expect(openStreams(kernel)[0]?.body.cursors).toEqual(cursors);
    other.chat.close();
    await flush();
    expect(openStreams(kernel)).toHaveLength(1);
    expect(openStreams(kernel)[0]?.body.cursors).toEqual({ s1: kernel.talk.last });
  });

  it("serves two widgets of one conversation from the one that is behind", async () => {
    const { kernel } = await standing();
    kernel.talk.send("hi");
    kernel.frame(kernel.talk.first);
    const twin = new Kernel({ network: kernel.net, hub: kernel.hub });
    twin.port.frame(null, [kernel.talk.snapshot(0)]);
    await flush();
    const asked = kernel.net.next("/api/events");
    expect(asked.body.cursors).toEqual({ s1: kernel.talk.first });
    const body = asked.sse();
    for (const event of kernel.talk.events) body.event(event.event, event.data);
    await flush();
    expect(kernel.text).toBe("hi|");
    expect(twin.text).toBe("hi|");
  });
});

describe("a stream while nothing happens", () => {
  it("closes after 10 s, and a frame opens it from the cursor", async () => {
    const { kernel, line } = await standing();
    await wait(9_999);
    expect(line.open).toBe(true);
    await wait(1);
    expect(line.open).toBe(false);
    expect(kernel.phase).toBe("open");
    expect(kernel.transport).toBe("direct");

    kernel.talk.send("hi");
    kernel.frame(kernel.talk.first);
    await flush();
    expect(openStreams(kernel)[0]?.body.cursors).toEqual({ s1: kernel.talk.last });
  });

  it("stays as long as events come, though no answer runs", async () => {
    const { kernel, line } = await standing();
    for (let i = 0; i < 5; i += 1) {
      await wait(6_000);
      kernel.talk.notice("a callback failed");
      line.flow();
      await flush();
    }
    expect(line.open).toBe(true);
    await wait(20_000);
    expect(line.open).toBe(false);
  });

  it("stays as long as an answer runs, however long the model is silent", async () => {
    const { kernel, line } = await standing();
    kernel.talk.send("hi");
    line.flow();
    await flush();
    for (let i = 0; i < 20; i += 1) {
      await wait(30_000);
      line.body.push(": heartbeat\n\n");
      await flush();
    }
    expect(line.open).toBe(true);
    kernel.talk.token("x");
    kernel.talk.finish();
    line.flow();
    await flush();
    await wait(20_000);
    expect(line.open).toBe(false);
    expect(kernel.text).toBe("hi|x");
  });

  it("is not opened by a frame that was for another view", async () => {
    const { kernel } = await standing();
    await wait(10_000);
    const before = streams(kernel).length;
    kernel.frame(kernel.talk.first);
    kernel.frame(null);
    await flush();
    expect(streams(kernel)).toHaveLength(before);
  });

  it("may be told to close sooner", async () => {
    const { line } = await standing(new Kernel({ hubOptions: { idle: 1_000 } }));
    await wait(1_000);
    expect(line.open).toBe(false);
  });
});

describe("a stream that breaks", () => {
  it("comes back from the cursor, with growing pauses", async () => {
    const { kernel, line } = await standing();
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
    const { kernel, line } = await standing();
    line.body.end();
    await flush();
    await wait(250);
    expect(kernel.net.waiting("/api/events")).toHaveLength(1);
  });

  it("is only tried anew, not replaced, while frames bring what it lacks", async () => {
    const { kernel, line } = await standing();
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
    const { kernel, line } = await standing();
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
    let { kernel, line } = await standing();
    for (let i = 0; i < 10; i += 1) {
      line.body.break();
      await flush();
      await wait(500);
      line = await kernel.accept();
    }
    expect(kernel.transport).toBe("direct");
  });

  it("gives way at once when it fell silent: it stood, and nothing came", async () => {
    const { kernel, line } = await standing();
    kernel.talk.send("hi");
    line.flow();
    await flush();
    await wait(35_000);
    expect(kernel.transport).toBe("comm");
    expect(kernel.port.take("hello")).toMatchObject([{ transport: "comm" }]);
  });

  it("goes by comm on a 401, and is proved anew at once", async () => {
    const { kernel, line } = await standing();
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
    const { kernel, line } = await standing();
    line.body.end();
    await flush();
    await wait(500);
    const data = { session_id: "s1", instance: "k2" };
    kernel.net.next("/api/events").sse().event("connected", data);
    await flush();
    expect(kernel.transport).toBe("comm");
    expect(openStreams(kernel)).toEqual([]);
  });

  it("stays closed once the chat is", async () => {
    const { kernel, line } = await standing();
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

describe("the search for a road", () => {
  it("tries at once, then after 2, 5 and 15 s, then no more", async () => {
    const kernel = new Kernel();
    await flush();
    const tries = () => kernel.net.to("/api/probe").length;
    for (const pause of [2_000, 5_000, 15_000]) {
      const before = tries();
      kernel.net.next("/api/probe").fail();
      await flush();
      await wait(pause - 1);
      expect(tries()).toBe(before);
      await wait(1);
      expect(tries()).toBe(before + 1);
    }
    kernel.net.next("/api/probe").fail();
    await flush();
    await wait(3_600_000);
    expect(tries()).toBe(4);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("does not wait where a new chat comes", async () => {
    const kernel = new Kernel();
    await flush();
    kernel.net.next("/api/probe").fail();
    await flush();
    const { net: network, hub } = kernel;
    const other = new Kernel({ session: "s2", network, hub });
    await other.prove();
    expect(kernel.transport).toBe("direct");
  });

  it("asks by a chat whose comm stands", async () => {
    const kernel = new Kernel();
    const { net: network, hub } = kernel;
    const other = new Kernel({ session: "s2", network, hub });
    await flush();
    network.next("/api/probe").fail();
    await flush();
    other.port.dead = true;
    other.chat.look();
    await wait(2_000);
    expect(network.next("/api/probe").query.get("view")).toBe("w-s1");
  });

  it("ends with the last chat", async () => {
    const kernel = new Kernel();
    await flush();
    kernel.net.next("/api/probe").fail();
    await flush();
    kernel.chat.close();
    await wait(60_000);
    expect(kernel.net.to("/api/probe")).toHaveLength(1);
    expect(kernel.hub?.empty).toBe(true);
  });
});

describe("a page of its own", () => {
  const alone = () => {
    const network = new Network();
    const page = { visible: true };
    const road = makeRoad({
      fetch: network.fetch,
      base: "",
      transport: "direct",
      token: "t",
      instance: "k1",
    });
    const hub = new Hub({ only: { road, visible: () => page.visible } });
    return { page, kernel: new Kernel({ network, hub, port: null }) };
  };

  it("keeps its stream while it is visible", async () => {
    const { page, kernel } = alone();
    const line = await kernel.accept();
    expect(kernel.phase).toBe("open");
    await wait(20_000);
    line.body.push(": heartbeat\n\n");
    await flush();
    await wait(20_000);
    expect(line.open).toBe(true);
    page.visible = false;
    await wait(10_000);
    expect(line.open).toBe(false);
    page.visible = true;
    kernel.talk.send("hi");
    kernel.chat.look();
    await kernel.accept();
    expect(kernel.text).toBe("hi|");
  });

  it("sends a command again when the connection broke, with the same id", async () => {
    const { kernel } = alone();
    await kernel.accept();
    const done = kernel.chat.command({ type: "send", text: "hi" });
    await flush();
    const first = kernel.takeCommand();
    first.fail();
    await flush();
    await wait(500);
    const second = kernel.takeCommand();
    expect(second.body).toEqual(first.body);
    second.json(202, { event_id: 1 });
    await done;
  });

  it("says that it could not be sent where nobody answers", async () => {
    const { kernel } = alone();
    await kernel.accept();
    const done = kernel.chat.command({ type: "send", text: "hi" }).catch((error) => error);
    for (let i = 0; i < 3; i += 1) {
      await flush();
      kernel.takeCommand().fail();
      await flush();
      await wait(2_000);
    }
    expect(await done).toMatchObject({ kind: "connection" });
  });

  it("tries for half a minute until it says that the kernel is gone, and believes a return", async () => {
    const { kernel } = alone();
    const line = await kernel.accept();
    line.body.break();
    await flush();
    let waited = 0;
    while (kernel.phase !== "gone") {
      expect(kernel.phase).toBe("lost");
      await wait(500);
      waited += 500;
      for (const asked of kernel.net.waiting("/api/events")) asked.fail();
      await flush();
    }
    expect(waited).toBeGreaterThan(20_000);
    expect(waited).toBeLessThan(40_000);
    expect(vi.getTimerCount()).toBe(0);
    kernel.chat.look();
    await kernel.accept();
    expect(kernel.phase).toBe("open");
  });

  it("is gone at once where its token is not known any more", async () => {
    const { kernel } = alone();
    await flush();
    const error = { kind: "auth", message: "No." };
    kernel.net.next("/api/events").json(401, { error });
    await flush();
    expect(kernel.phase).toBe("gone");
  });
});

describe("the page's hubs", () => {
  const member = {
    sessionId: "s1",
    view: "v",
    canProbe: () => false,
    roadChanged: () => undefined,
  } as unknown as Member;

  it("are found by name, also by another copy of this code", async () => {
    const hub = sharedHub("k-one");
    const leave = hub.join(member);
    vi.resetModules();
    const copy = await import("../../src/transport/hub");
    expect(copy.Hub).not.toBe(Hub);
    expect(copy.sharedHub("k-one")).toBe(hub);
    expect(copy.sharedHub("k-two")).not.toBe(hub);
    leave();
  });

  it("understand the failures that another copy throws", async () => {
    vi.resetModules();
    const theirs = await import("../../src/transport/errors");
    expect(theirs.Refused).not.toBe(Refused);
    expect(isRefused(new theirs.Refused("auth", "No."))).toBe(true);
    expect(isUnreachable(new theirs.Unreachable("Nobody."))).toBe(true);
    expect(isRefused(new theirs.Unreachable("Nobody."))).toBe(false);
  });

  it("are let go when no chat uses them", () => {
    const empty = sharedHub("k-old");
    sharedHub("k-new");
    expect(sharedHub("k-old")).not.toBe(empty);
  });
});
