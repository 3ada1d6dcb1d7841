import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { isRefused, isUnreachable, Refused } from "../../src/transport/errors";
import { Hub, type Member, sharedHub } from "../../src/transport/hub";
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
    const { kernel, line } = await flowing();
    kernel.talk.send("hi");
    line.flow();
    await flush();
    const { net: network, hub } = kernel;
    const other = new Kernel({ session: "s2", network, hub });
    await flush();
    expect(line.open).toBe(false);
    expect(kernel.openStreams).toHaveLength(1);
    const cursors = { s1: kernel.talk.last, s2: null };
    expect(kernel.openStreams[0]?.body.cursors).toEqual(cursors);
    other.chat.close();
    await flush();
    expect(kernel.openStreams).toHaveLength(1);
    expect(kernel.openStreams[0]?.body.cursors).toEqual({ s1: kernel.talk.last });
  });

  it("serves two widgets of one conversation from the one that is behind", async () => {
    const { kernel } = await flowing();
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
    const { kernel, line } = await flowing();
    await wait(9_999);
    expect(line.open).toBe(true);
    await wait(1);
    expect(line.open).toBe(false);
    expect(kernel.phase).toBe("open");
    expect(kernel.transport).toBe("direct");

    kernel.talk.send("hi");
    kernel.frame(kernel.talk.first);
    await flush();
    expect(kernel.openStreams[0]?.body.cursors).toEqual({ s1: kernel.talk.last });
  });

  it("stays as long as events come, though no answer runs", async () => {
    const { kernel, line } = await flowing();
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
    const { kernel, line } = await flowing();
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
    const { kernel } = await flowing();
    await wait(10_000);
    const before = kernel.net.to("/api/events").length;
    kernel.frame(kernel.talk.first);
    kernel.frame(null);
    await flush();
    expect(kernel.net.to("/api/events")).toHaveLength(before);
  });

  it("may be told to close sooner", async () => {
    const { line } = await flowing(new Kernel({ hubOptions: { idle: 1_000 } }));
    await wait(1_000);
    expect(line.open).toBe(false);
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
