import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Kept } from "../../src/state/types";
import { Kernel, standing } from "./kernel";
import { flush, TIMERS } from "./wire";

beforeEach(() => {
  vi.useFakeTimers(TIMERS);
});

afterEach(() => {
  vi.useRealTimers();
});

const ONE = { session_id: "s7", title: "One", updated_at: 1, messages: 2 };

const asks: [string, (kept: Kept) => Promise<unknown>, object][] = [
  ["a new one", (kept) => kept.show(null), { action: "new" }],
  ["another one", (kept) => kept.show("s7"), { action: "show", session_id: "s7" }],
  ["a title", (kept) => kept.rename("s7", "T"), { action: "rename", session_id: "s7", title: "T" }],
  ["an end", (kept) => kept.delete("s7"), { action: "delete", session_id: "s7" }],
];

/** What was asked over the comm, and its answer. */
function taken(kernel: Kernel) {
  const [content] = kernel.port.take("kept");
  const answer = (fields: object) =>
    kernel.port.receive({ type: "kept", request_id: content?.request_id, ...fields });
  return { content, answer };
}

describe("kept conversations over the comm", () => {
  it.each(asks)("%s", async (_, ask, request) => {
    const kernel = await standing(false);
    const done = ask(kernel.chat.kept);
    await flush();
    const { content, answer } = taken(kernel);
    expect(content).toMatchObject({ ...request, widget_id: "w-s1", view: kernel.chat.view });
    answer({ session_id: "s7" });
    await done;
  });

  it("are listed, without what is none", async () => {
    const kernel = await standing(false);
    const list = kernel.chat.kept.list();
    await flush();
    const { content, answer } = taken(kernel);
    expect(content).toMatchObject({ action: "list" });
    answer({ sessions: [ONE, null, "s8", { session_id: "s9" }] });
    expect(await list).toEqual([ONE]);
  });

  it("reject with the kernel's words", async () => {
    const kernel = await standing(false);
    const done = kernel.chat.kept.show("s8");
    await flush();
    taken(kernel).answer({ error: { kind: "not_found", message: "There is none." } });
    await expect(done).rejects.toMatchObject({ message: "There is none." });
  });

  it("wait for the running cell, visibly, and are no command for another road", async () => {
    const kernel = new Kernel();
    kernel.answerHellos();
    const done = kernel.chat.kept.list();
    await flush();
    vi.advanceTimersByTime(300);
    expect(kernel.chat.connection().waiting).toBe(true);
    await kernel.prove();
    expect(kernel.net.to("/commands")).toEqual([]);
    taken(kernel).answer({ sessions: [] });
    expect(await done).toEqual([]);
    expect(kernel.chat.connection().waiting).toBe(false);
  });

  it("are answered though the chat turned meanwhile", async () => {
    const kernel = await standing(false);
    const done = kernel.chat.kept.show("s7");
    await flush();
    kernel.chat.leave();
    kernel.talk.send("not heard any more");
    kernel.frame(null);
    expect(kernel.text).toBe("");
    taken(kernel).answer({ session_id: "s7" });
    await done;
  });

  it("are given up when the widget goes", async () => {
    const kernel = await standing(false);
    const done = kernel.chat.kept.list();
    const refused = expect(done).rejects.toThrow("gone");
    await flush();
    kernel.chat.close();
    await refused;
  });
});

describe("kept conversations over HTTP", () => {
  it.each(asks)("%s", async (_, ask, request) => {
    const kernel = await standing(true);
    const done = ask(kernel.chat.kept);
    await flush();
    const asked = kernel.net.next("/api/sessions/s1/kept");
    expect(asked.init.method).toBe("POST");
    expect(asked.body).toEqual({ ...request, widget_id: "w-s1" });
    asked.json(200, { session_id: "s7" });
    await done;
    expect(kernel.port.take("kept")).toEqual([]);
  });

  it("are listed", async () => {
    const kernel = await standing(true);
    const list = kernel.chat.kept.list();
    await flush();
    const asked = kernel.net.next("/api/sessions/s1/kept");
    expect(asked.init.method).toBeUndefined();
    asked.json(200, { sessions: [ONE] });
    expect(await list).toEqual([ONE]);
  });

  it("reject with the kernel's words", async () => {
    const kernel = await standing(true);
    const done = kernel.chat.kept.delete("s8");
    await flush();
    const error = { kind: "not_found", message: "There is none." };
    kernel.net.next("/api/sessions/s1/kept").json(404, { error });
    await expect(done).rejects.toMatchObject(error);
    expect(kernel.port.take("kept")).toEqual([]);
  });

  it("go by comm where HTTP breaks", async () => {
    const kernel = await standing(true);
    const list = kernel.chat.kept.list();
    await flush();
    kernel.net.next("/api/sessions/s1/kept").fail();
    await flush();
    taken(kernel).answer({ sessions: [ONE] });
    expect(await list).toEqual([ONE]);
  });
});

describe("frames of another conversation", () => {
  it("are left alone", async () => {
    const kernel = await standing(false);
    const other = new Kernel({ session: "s2", hub: null, port: kernel.port });
    kernel.port.take("hello");
    other.talk.send("theirs");
    other.frame(null);
    expect(kernel.text).toBe("");
    expect(other.text).toBe("theirs|");
    expect(kernel.port.take("hello")).toEqual([]);
  });
});
