import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import samples from "../../../tests/wire/commands.json";
import type { CommandRequest } from "../../src/state/types";
import { Kernel, send, standing } from "./kernel";
import { flush, TIMERS } from "./wire";

beforeEach(() => {
  vi.useFakeTimers(TIMERS);
});

afterEach(() => {
  vi.useRealTimers();
});

describe("commands over the comm", () => {
  it("carry an id and the request as it is", async () => {
    for (const { command_id: _, ...request } of samples) {
      const kernel = await standing(false);
      void kernel.chat.command(request as CommandRequest);
      await flush();
      const [sent] = kernel.port.take("command") as { command?: Record<string, unknown> }[];
      const { command_id, ...rest } = sent?.command ?? {};
      expect(rest).toEqual(request);
      expect(command_id).toMatch(/^[0-9a-f]{32}$/);
    }
  });

  it("resolve when they are acknowledged", async () => {
    const kernel = await standing(false);
    const sent = send(kernel);
    await flush();
    const [content] = kernel.port.take("command") as { command: { command_id: string } }[];
    kernel.port.receive({ type: "ack", command_id: "somebody else's", event_id: 1 });
    await flush();
    expect(sent.outcome()).toBe("open");
    const { command_id } = content?.command ?? {};
    kernel.port.receive({ type: "ack", command_id, event_id: 1 });
    await sent.done;
    expect(sent.outcome()).toBe("done");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("reject with the kernel's words", async () => {
    const kernel = await standing(false);
    const sent = send(kernel);
    await flush();
    const [content] = kernel.port.take("command") as { command: { command_id: string } }[];
    const error = { kind: "input", message: "The text is empty." };
    kernel.port.receive({ type: "ack", command_id: content?.command.command_id, error });
    await sent.done;
    expect(sent.outcome()).toMatchObject(error);
  });

  it("wait for the running cell after 300 ms, visibly, and are sent once", async () => {
    const kernel = await standing(false);
    const sent = send(kernel);
    await flush();
    vi.advanceTimersByTime(299);
    expect(kernel.chat.connection().waiting).toBe(false);
    const before = kernel.changes;
    vi.advanceTimersByTime(1);
    expect(kernel.chat.connection().waiting).toBe(true);
    expect(kernel.changes).toBe(before + 1);
    vi.advanceTimersByTime(3_600_000);
    const contents = kernel.port.take("command") as { command: { command_id: string } }[];
    expect(contents).toHaveLength(1);
    const { command_id } = contents[0]?.command ?? {};
    kernel.port.receive({ type: "ack", command_id, event_id: 1 });
    await sent.done;
    expect(kernel.chat.connection().waiting).toBe(false);
    expect(sent.outcome()).toBe("done");
  });

  it("go over HTTP as well once there is a road, under the same id", async () => {
    const kernel = new Kernel();
    const sent = send(kernel);
    await flush();
    vi.advanceTimersByTime(300);
    await kernel.prove();
    const [content] = kernel.port.take("command") as { command: { command_id: string } }[];
    const asked = kernel.takeCommand();
    expect(asked.body).toEqual(content?.command);
    asked.json(202, { command_id: asked.body.command_id, event_id: 1 });
    await sent.done;
    expect(sent.outcome()).toBe("done");
    expect(kernel.chat.connection().waiting).toBe(false);
    // The cell ended at last; the kernel answers alike.
    kernel.port.receive({ type: "ack", command_id: asked.body.command_id, event_id: 1 });
    await flush();
    expect(sent.outcome()).toBe("done");
  });
});

describe("commands over HTTP", () => {
  it("do not touch the comm", async () => {
    const kernel = await standing(true);
    const sent = send(kernel);
    await flush();
    const asked = kernel.takeCommand();
    asked.json(202, { command_id: asked.body.command_id, event_id: kernel.talk.last });
    await sent.done;
    expect(kernel.port.sent).toEqual([]);
  });

  it("go by comm with the same id where the connection breaks", async () => {
    const kernel = await standing(true);
    const sent = send(kernel);
    await flush();
    const asked = kernel.takeCommand();
    asked.fail();
    await flush();
    const [content] = kernel.port.take("command") as { command: { command_id: string } }[];
    expect(content?.command).toEqual(asked.body);
    kernel.port.receive({ type: "ack", command_id: asked.body.command_id, event_id: 1 });
    await sent.done;
    expect(sent.outcome()).toBe("done");
  });

  it("that are refused are not tried elsewhere", async () => {
    const kernel = await standing(true);
    const sent = send(kernel);
    await flush();
    kernel.takeCommand().json(409, { error: { kind: "cancelled", message: "Closed." } });
    await sent.done;
    expect(sent.outcome()).toMatchObject({ kind: "cancelled", message: "Closed." });
    expect(kernel.port.sent).toEqual([]);
  });

  it("open the stream when their events are ahead of the cursor", async () => {
    const kernel = await standing(true);
    vi.advanceTimersByTime(10_000);
    const streams = kernel.net.to("/api/events").length;
    const first = send(kernel);
    await flush();
    kernel.takeCommand().json(202, { event_id: kernel.talk.last });
    await first.done;
    await flush();
    expect(kernel.net.to("/api/events")).toHaveLength(streams);
    const second = send(kernel);
    await flush();
    kernel.talk.send("hi");
    kernel.takeCommand().json(202, { event_id: kernel.talk.last });
    await second.done;
    await kernel.accept();
    expect(kernel.text).toBe("hi|");
  });

  it("lose the road on a 401, and go by comm", async () => {
    const kernel = await standing(true);
    const sent = send(kernel);
    await flush();
    kernel.takeCommand().json(401, { error: { kind: "auth", message: "No." } });
    await flush();
    expect(kernel.transport).toBe("comm");
    expect(kernel.port.take("command")).toHaveLength(1);
    expect(kernel.port.take("hello")).toMatchObject([{ transport: "comm" }]);
    expect(sent.outcome()).toBe("open");
    await kernel.prove();
    expect(kernel.transport).toBe("direct");
  });
});

describe("a late refusal", () => {
  it("does not lose the road that was found since", async () => {
    const kernel = await standing(true);
    const error = { error: { kind: "auth", message: "No." } };
    void send(kernel);
    void send(kernel);
    await flush();
    const [first, second] = kernel.net.waiting("/commands");
    first?.json(401, error);
    await flush();
    await kernel.prove();
    second?.json(401, error);
    await flush();
    expect(kernel.transport).toBe("direct");
  });
});
