import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { makeRoad } from "../../src/transport/http";
import { Hub } from "../../src/transport/hub";
import { Kernel } from "./kernel";
import { flush, Network, TIMERS, wait } from "./wire";

beforeEach(() => {
  vi.useFakeTimers(TIMERS);
  vi.spyOn(Math, "random").mockReturnValue(1);
});

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
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
