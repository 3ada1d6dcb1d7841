import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { candidates, type PageFacts, type ProbeResult, probe } from "../../src/transport/probe";
import { flush, Network, TIMERS } from "./wire";

const page = (fields: Partial<PageFacts>): PageFacts => ({
  protocol: "http:",
  hostname: "localhost",
  jupyterBase: null,
  loopbackGranted: () => Promise.resolve(false),
  ...fields,
});

const granted = () => Promise.resolve(true);

describe("candidates", () => {
  const ways = async (facts: Partial<PageFacts>, choice?: "auto" | "direct" | "proxy" | "comm") =>
    (await candidates(page(facts), 4711, choice)).map(({ transport }) => transport).join(" ");

  it.each([
    ["JupyterLab here", { jupyterBase: "/" }, "direct proxy"],
    ["marimo here", {}, "direct"],
    ["127.0.0.1", { hostname: "127.0.0.1", jupyterBase: "/" }, "direct proxy"],
    ["IPv6", { hostname: "[::1]" }, "direct"],
    ["a host that only looks like one", { hostname: "127.0.0.1.evil.test" }, ""],
    ["JupyterHub", { hostname: "hub.test", protocol: "https:", jupyterBase: "/user/me/" }, "proxy"],
    [
      "JupyterHub that may reach loopback already",
      {
        hostname: "hub.test",
        protocol: "https:",
        jupyterBase: "/user/me/",
        loopbackGranted: granted,
      },
      "proxy direct",
    ],
    ["VS Code", { hostname: "abc", protocol: "vscode-webview:" }, "direct"],
    ["VS Code in a browser", { hostname: "x.vscode-cdn.net", protocol: "https:" }, ""],
    ["Colab", { hostname: "x.googleusercontent.com", loopbackGranted: granted }, ""],
    ["a file", { hostname: "", protocol: "file:" }, ""],
  ])("on %s", async (_, facts, expected) => {
    expect(await ways(facts)).toBe(expected);
  });

  it("are what the notebook insists on, where that is possible", async () => {
    expect(await ways({ jupyterBase: "/" }, "direct")).toBe("direct");
    expect(await ways({ jupyterBase: "/" }, "proxy")).toBe("proxy");
    expect(await ways({ jupyterBase: "/" }, "comm")).toBe("");
    expect(await ways({ hostname: "hub.test", jupyterBase: "/" }, "direct")).toBe("");
  });

  it("are none while HTTP is off", async () => {
    expect(await candidates(page({}), 0)).toEqual([]);
  });

  it("do not even ask for leave where it is not needed", async () => {
    const loopbackGranted = vi.fn(granted);
    await candidates(page({ loopbackGranted, jupyterBase: "/" }), 4711);
    await candidates(page({ loopbackGranted, hostname: "colab.test" }), 4711);
    expect(loopbackGranted).not.toHaveBeenCalled();
  });

  it("have addresses without a slash at the end", async () => {
    const found = await candidates(page({ jupyterBase: "/user/me/" }), 4711);
    expect(found.map(({ base }) => base)).toEqual(["http://127.0.0.1:4711", "/user/me/proxy/4711"]);
  });
});

describe("a probe", () => {
  beforeEach(() => {
    vi.useFakeTimers(TIMERS);
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function start(transport: "direct" | "proxy" = "direct") {
    const net = new Network();
    const grants = new Map<string, (token: string) => void>();
    const base = transport === "direct" ? "http://127.0.0.1:4711" : "/proxy/4711";
    let outcome: ProbeResult | undefined;
    const result = probe(
      { transport, base, timeout: 1500 },
      {
        fetch: net.fetch,
        instance: "k1",
        view: "w1",
        grant: (c, signal) =>
          new Promise((resolve, reject) => {
            grants.set(c, resolve);
            signal.addEventListener("abort", () => reject(signal.reason));
          }),
      },
    ).then((value) => {
      outcome = value;
      return value;
    });
    const asked = net.next("/api/probe");
    const c = asked.query.get("c") ?? "";
    const grant = () => grants.get(c)?.("secret");
    return { net, asked, c, grant, result, outcome: () => outcome };
  }

  it("tells nobody anything but a random number and which widget asks", () => {
    const first = start();
    const second = start("proxy");
    expect(first.c).toMatch(/^[0-9a-f]{32}$/);
    expect(first.c).not.toBe(second.c);
    expect([...first.asked.query.keys()]).toEqual(["c", "view"]);
    expect(first.asked.headers.get("accept")).toBe("text/event-stream");
    expect([...first.asked.headers.keys()]).toEqual(["accept"]);
    expect(first.asked.init.credentials).toBe("omit");
    expect(second.asked.init.credentials).toBe("same-origin");
  });

  it.each(["before", "after"])("passes with the token %s the answer", async (when) => {
    const { net, asked, c, grant, result, outcome } = start();
    if (when === "before") grant();
    const body = asked.sse();
    body.event("probe", { instance: "k1", c, n: 1 });
    await flush();
    vi.advanceTimersByTime(150);
    body.event("probe", { instance: "k1", c, n: 2 });
    await flush();
    expect(outcome() === undefined).toBe(when === "after");
    grant();
    const found = await result;
    if (!("road" in found)) throw new Error("no road");
    expect(found.road).toMatchObject({ transport: "direct", instance: "k1" });
    void found.road.earlier("s1", "m1").catch(() => undefined);
    expect(net.asked.at(-1)?.headers.get("authorization")).toBe("Bearer secret");
    expect(asked.aborted).toBe(true);
  });

  it("fails where a proxy keeps events back", async () => {
    const { asked, c, grant, result } = start("proxy");
    grant();
    const body = asked.sse();
    body.event("probe", { instance: "k1", c, n: 1 });
    body.event("probe", { instance: "k1", c, n: 2 });
    body.end();
    expect(await result).toEqual({ failed: "unreachable" });
  });

  it("fails where another kernel listens", async () => {
    const { asked, c, grant, result } = start();
    grant();
    asked.sse().event("probe", { instance: "k2", c, n: 1 });
    expect(await result).toEqual({ failed: "stranger" });
  });

  it("fails where the answer is to somebody else's number", async () => {
    const { asked, grant, result } = start();
    grant();
    asked.sse().event("probe", { instance: "k1", c: "other", n: 1 });
    expect(await result).toEqual({ failed: "unreachable" });
  });

  it("fails without a token, and in time", async () => {
    const { asked, c, result } = start();
    const body = asked.sse();
    body.event("probe", { instance: "k1", c, n: 1 });
    await flush();
    vi.advanceTimersByTime(150);
    body.event("probe", { instance: "k1", c, n: 2 });
    await flush();
    vi.advanceTimersByTime(1500);
    expect(await result).toEqual({ failed: "unreachable" });
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    ["nobody listens", (asked: ReturnType<typeof start>["asked"]) => asked.fail()],
    ["a login page answers", (asked: ReturnType<typeof start>["asked"]) => asked.text(200, "<p>")],
    [
      "our origin is not let in",
      (asked: ReturnType<typeof start>["asked"]) =>
        asked.json(403, { error: { kind: "auth", message: "no" } }),
    ],
    [
      "it is no JSON",
      (asked: ReturnType<typeof start>["asked"]) =>
        asked.sse().push("event: probe\ndata: hello\n\n"),
    ],
  ])("fails where %s", async (_, answer) => {
    const { asked, grant, result } = start();
    grant();
    answer(asked);
    expect(await result).toEqual({ failed: "unreachable" });
  });

  it("fails where nothing answers at all", async () => {
    const { result, asked } = start();
    vi.advanceTimersByTime(1500);
    expect(await result).toEqual({ failed: "unreachable" });
    expect(asked.aborted).toBe(true);
  });
});
