import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { message } from "../state/talk";
import { Kernel, Port, send, standing } from "./kernel";
import { flush, TIMERS } from "./wire";

beforeEach(() => {
  vi.useFakeTimers(TIMERS);
});

afterEach(() => {
  vi.useRealTimers();
});

describe("the start", () => {
  it("says hello over the comm at once and is connecting until it is answered", async () => {
    const kernel = new Kernel();
    expect(kernel.port.sent).toEqual([
      {
        type: "hello",
        view: kernel.chat.view,
        session_id: "s1",
        after: null,
        origin: "http://localhost:8888",
        transport: "comm",
      },
    ]);
    expect(kernel.chat.connection()).toEqual({
      phase: "connecting",
      transport: "comm",
      waiting: false,
    });
    kernel.talk.send("hi");
    kernel.answerHellos();
    expect(kernel.phase).toBe("open");
    expect(kernel.text).toBe("hi|");
  });

  it("works without any HTTP", async () => {
    const kernel = await standing(false);
    kernel.talk.send("hi");
    kernel.frame(kernel.talk.first);
    kernel.talk.token("Hel");
    kernel.talk.token("lo");
    kernel.frame(kernel.talk.last - 3);
    expect(kernel.text).toBe("hi|Hello");
    expect(kernel.net.asked).toEqual([]);
  });

  it("begins where the talk was empty, before any hello was heard", async () => {
    const kernel = new Kernel({ hub: null, fromStart: true });
    kernel.talk.send("hi");
    kernel.talk.token("Hello");
    kernel.frame(kernel.talk.first);
    expect(kernel.text).toBe("hi|Hello");
    expect(kernel.phase).toBe("open");
  });

  it("gets its first state over HTTP where the kernel is busy with a cell", async () => {
    const kernel = new Kernel();
    kernel.talk.send("hi");
    kernel.talk.token("Hello");
    await kernel.prove();
    await kernel.accept();
    expect(kernel.phase).toBe("open");
    expect(kernel.transport).toBe("direct");
    expect(kernel.text).toBe("hi|Hello");
  });

  it("tells the kernel which transport it uses", async () => {
    const kernel = new Kernel();
    kernel.answerHellos();
    await kernel.prove();
    expect(kernel.port.take("hello")).toMatchObject([
      { transport: "direct", after: kernel.talk.first },
    ]);
  });

  it("tells its views once for a batch", async () => {
    const kernel = await standing(false);
    kernel.talk.send("hi");
    for (const piece of "many tokens") kernel.talk.token(piece);
    const before = kernel.changes;
    kernel.frame(kernel.talk.first);
    expect(kernel.changes).toBe(before + 1);
    kernel.frame(kernel.talk.first);
    expect(kernel.changes).toBe(before + 1);
  });

  it("goes on when a view cannot draw", async () => {
    const faults: unknown[] = [];
    const listener = (error: unknown) => faults.push(error);
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", listener);
    try {
      const kernel = await standing(false);
      const fault = new Error("cannot draw");
      kernel.chat.subscribe(() => {
        throw fault;
      });
      const after = vi.fn();
      kernel.chat.subscribe(after);
      kernel.talk.send("hi");
      kernel.frame(kernel.talk.first);
      await flush();
      expect(after).toHaveBeenCalledTimes(1);
      expect(faults).toEqual([fault]);
    } finally {
      process.off("uncaughtException", listener);
      for (const other of others) process.on("uncaughtException", other);
    }
  });
});

describe("a gap in the frames", () => {
  it("is asked for with the cursor, once", async () => {
    const kernel = await standing(false);
    kernel.talk.send("hi");
    kernel.talk.token("lost ");
    const seen = kernel.talk.last;
    kernel.talk.token("and found");
    kernel.frame(seen);
    kernel.frame(seen);
    const hellos = kernel.port.take("hello");
    expect(hellos).toMatchObject([{ after: kernel.talk.first, transport: "comm" }]);
    expect(kernel.text).toBe("");
    kernel.frame(kernel.talk.first);
    expect(kernel.text).toBe("hi|lost and found");
  });

  it("is asked for again when the answer was lost", async () => {
    const kernel = await standing(false);
    kernel.talk.send("hi");
    kernel.talk.token("x");
    const frame = () => kernel.frame(kernel.talk.first + 2);
    frame();
    vi.advanceTimersByTime(4_000);
    frame();
    expect(kernel.port.take("hello")).toHaveLength(1);
    vi.advanceTimersByTime(1_000);
    frame();
    expect(kernel.port.take("hello")).toHaveLength(1);
  });

  it("is read over HTTP where there is a road", async () => {
    const kernel = await standing(true);
    vi.advanceTimersByTime(10_000);
    kernel.talk.send("hi");
    kernel.talk.token("x");
    kernel.frame(kernel.talk.first + 2);
    expect(kernel.port.take("hello")).toEqual([]);
    await kernel.accept();
    expect(kernel.text).toBe("hi|x");
  });

  it("of a frame this version cannot read is left alone", async () => {
    const kernel = await standing(false);
    kernel.port.receive({ type: "frame", v: 2, after: null, events: [] });
    kernel.port.receive({ type: "frame", v: 1, after: null, events: [null, { event: 3 }] });
    kernel.port.receive({ type: "unknown" });
    kernel.port.receive("nonsense");
    expect(kernel.port.sent).toEqual([]);
  });
});

describe("a move to HTTP in the middle of an answer", () => {
  it("loses and doubles nothing", async () => {
    const kernel = new Kernel();
    kernel.answerHellos();
    kernel.talk.send("hi");
    kernel.talk.token("one ");
    kernel.frame(kernel.talk.first);
    await kernel.prove();
    kernel.talk.token("two ");
    // On its way over the comm while the stream begins at the same place.
    const late = kernel.talk.after(kernel.talk.last - 1);
    const line = await kernel.accept();
    kernel.port.frame(kernel.talk.last - 1, late);
    kernel.talk.token("three");
    line.flow();
    await flush();
    expect(kernel.text).toBe("hi|one two three");
  });
});

describe("a branch that was never loaded", () => {
  const astray = async (http: boolean) => {
    const kernel = await standing(http);
    kernel.talk.emit("leaf", { leaf_id: "far" });
    const leaf = kernel.talk.events.at(-1);
    if (leaf === undefined) throw new Error("no leaf");
    kernel.port.frame(kernel.talk.first, [leaf]);
    await flush();
    const data = {
      id: kernel.talk.last,
      session_id: "s1",
      messages: [message({ id: "far", role: "user", text: "found" })],
      leaf_id: "far",
      status: "idle",
      has_more: false,
    };
    return { kernel, snapshot: { event: "snapshot", data } };
  };

  it("is asked for over the comm, once, and an older snapshot does not do", async () => {
    const { kernel, snapshot } = await astray(false);
    expect(kernel.port.take("hello")).toMatchObject([{ after: null }]);
    const old = { ...snapshot, data: { ...snapshot.data, id: kernel.talk.first, messages: [] } };
    kernel.port.frame(null, [old]);
    expect(kernel.text).toBe("");
    kernel.port.frame(null, [snapshot]);
    expect(kernel.text).toBe("found");
    expect(kernel.port.take("hello")).toEqual([]);
  });

  it("is asked for over HTTP by a stream without a cursor", async () => {
    const { kernel, snapshot } = await astray(true);
    const asked = kernel.net.next("/api/events");
    expect(asked.body.cursors).toEqual({ s1: null });
    asked.sse().event("snapshot", snapshot.data);
    await flush();
    expect(kernel.text).toBe("found");
  });
});

describe("earlier messages", () => {
  const withMore = async (http: boolean) => {
    const kernel = await standing(http);
    const data = {
      ...kernel.talk.snapshot().data,
      id: kernel.talk.last + 5,
      messages: [message({ id: "m2", role: "user", text: "two", parent_id: "m1" })],
      leaf_id: "m2",
      has_more: true,
    };
    kernel.port.frame(null, [{ event: "snapshot", data }]);
    return kernel;
  };

  it("are fetched above the first one shown, once at a time", async () => {
    const kernel = await withMore(true);
    const both = [kernel.chat.loadEarlier(), kernel.chat.loadEarlier()];
    const asked = kernel.net.next("/messages");
    expect(kernel.net.to("/messages")).toHaveLength(1);
    expect(asked.query.get("before")).toBe("m2");
    asked.json(200, { messages: [message({ id: "m1", role: "user", text: "one" })] });
    await Promise.all(both);
    expect(kernel.text).toBe("one|two");
    expect(kernel.chat.state().hasMore).toBe(false);
    await kernel.chat.loadEarlier();
    expect(kernel.net.to("/messages")).toHaveLength(1);
  });

  it("need HTTP, and say so", async () => {
    const kernel = await withMore(false);
    await expect(kernel.chat.loadEarlier()).rejects.toMatchObject({ kind: "connection" });
  });
});

describe("a log that is shorter than what was seen", () => {
  it("replaces it, where the kernel answers our own cursor with it", async () => {
    const kernel = await standing(true);
    kernel.talk.send("hi");
    kernel.frame(kernel.talk.first);
    expect(kernel.text).toBe("hi|");
    vi.advanceTimersByTime(10_000);
    kernel.hub?.refresh();
    await flush();
    const asked = kernel.net.next("/api/events");
    const less = { ...kernel.talk.snapshot(0).data, id: kernel.talk.first - 7 };
    asked.sse().event("snapshot", less);
    await flush();
    expect(kernel.text).toBe("");
    expect(kernel.chat.state().cursor).toBe(kernel.talk.first - 7);
  });
});

describe("a kernel that is gone", () => {
  it("is told by its comm, where HTTP does not reach it either", async () => {
    const kernel = await standing(false);
    const waiting = send(kernel);
    await flush();
    kernel.port.dead = true;
    kernel.chat.look();
    expect(kernel.phase).toBe("gone");
    await waiting.done;
    expect(waiting.outcome()).toMatchObject({ kind: "connection" });
    const late = send(kernel);
    await late.done;
    expect(late.outcome()).toMatchObject({ kind: "connection" });
  });

  it("is not gone while HTTP reaches it", async () => {
    const kernel = await standing(true);
    kernel.port.dead = true;
    const sent = send(kernel);
    await flush();
    kernel.takeCommand().json(202, { event_id: 1 });
    await sent.done;
    expect(kernel.phase).toBe("open");
  });

  it("is not gone because it does not answer: a cell may run", async () => {
    const kernel = new Kernel();
    await flush();
    for (let i = 0; i < 4; i += 1) {
      kernel.net.next("/api/probe").fail();
      await flush();
      vi.advanceTimersByTime(15_000);
      await flush();
    }
    expect(kernel.net.waiting("/api/probe")).toEqual([]);
    expect(kernel.phase).toBe("connecting");
  });

  it("is gone where another one has its port and it was never heard", async () => {
    const kernel = new Kernel();
    await flush();
    const asked = kernel.net.next("/api/probe");
    const c = asked.query.get("c");
    asked.sse().event("probe", { instance: "k2", c, n: 1 });
    await flush();
    expect(kernel.phase).toBe("gone");
    // It was only slow, and the port is another machine's.
    kernel.answerHellos();
    expect(kernel.phase).toBe("open");
  });

  it("leaves nothing running once the widget is closed", async () => {
    const kernel = await standing(true);
    const line = kernel.net.to("/api/events").at(-1);
    kernel.chat.close();
    await flush();
    expect(line?.aborted).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
    kernel.talk.send("hi");
    kernel.frame(kernel.talk.first);
    expect(kernel.text).toBe("");
  });
});

describe("a look", () => {
  it("asks over the comm what was missed", async () => {
    const kernel = await standing(false);
    kernel.talk.send("hi");
    kernel.chat.look();
    kernel.answerHellos();
    expect(kernel.text).toBe("hi|");
  });

  it("opens the stream where there is a road", async () => {
    const kernel = await standing(true);
    vi.advanceTimersByTime(10_000);
    kernel.talk.send("hi");
    kernel.chat.look();
    await kernel.accept();
    expect(kernel.text).toBe("hi|");
  });

  it("looks for a road again where the first tries failed", async () => {
    const kernel = new Kernel();
    await flush();
    for (let i = 0; i < 4; i += 1) {
      kernel.net.next("/api/probe").fail();
      await flush();
      vi.advanceTimersByTime(15_000);
      await flush();
    }
    kernel.chat.look();
    await kernel.prove();
    expect(kernel.transport).toBe("direct");
  });
});

describe("two pages of one widget", () => {
  it("are two views, and take only what is theirs", async () => {
    const port = new Port();
    const one = new Kernel({ port, hub: null });
    const two = new Kernel({ port, hub: null });
    expect(one.chat.view).not.toBe(two.chat.view);
    const sent = send(one);
    await flush();
    const [content] = port.take("command") as { command: { command_id: string } }[];
    port.receive({ type: "ack", command_id: content?.command.command_id, event_id: 1 });
    await sent.done;
    one.talk.send("hi");
    one.frame(null);
    expect(one.text).toBe("hi|");
    expect(two.text).toBe("hi|");
  });
});
