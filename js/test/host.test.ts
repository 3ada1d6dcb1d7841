import { afterEach, describe, expect, it, vi } from "vitest";
import { onLook, pageFacts } from "../src/host";

afterEach(() => {
  document.body.replaceChildren();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

function config(text: string): void {
  const script = document.createElement("script");
  script.id = "jupyter-config-data";
  script.type = "application/json";
  script.textContent = text;
  document.body.append(script);
}

describe("the facts of a page", () => {
  it("tell where it is", () => {
    expect(pageFacts()).toMatchObject({
      protocol: "http:",
      hostname: "localhost",
      jupyterBase: null,
    });
  });

  it("tell Jupyter's base", () => {
    config('{"baseUrl": "/user/me/", "token": "x"}');
    expect(pageFacts().jupyterBase).toBe("/user/me/");
  });

  it.each(["", "{oops", "[]", '{"baseUrl": 3}'])("take no nonsense for a base: %s", (text) => {
    config(text);
    expect(pageFacts().jupyterBase).toBeNull();
  });

  it.each([
    ["granted", true],
    ["prompt", false],
    ["denied", false],
  ])("ask the browser for its leave: %s", async (state, expected) => {
    const query = vi.fn(() => Promise.resolve({ state }));
    vi.stubGlobal("navigator", { permissions: { query } });
    expect(await pageFacts().loopbackGranted()).toBe(expected);
    expect(query).toHaveBeenCalledWith({ name: "loopback-network" });
  });

  it("take a browser that does not know the question for a no", async () => {
    const query = () => Promise.reject(new TypeError("not a valid enum value"));
    vi.stubGlobal("navigator", { permissions: { query } });
    expect(await pageFacts().loopbackGranted()).toBe(false);
    vi.stubGlobal("navigator", {});
    expect(await pageFacts().loopbackGranted()).toBe(false);
  });
});

describe("a look", () => {
  it("is a focus, a return to the net or to sight, and ends when it should", () => {
    const look = vi.fn();
    const end = onLook(look);
    window.dispatchEvent(new Event("focus"));
    window.dispatchEvent(new Event("online"));
    document.dispatchEvent(new Event("visibilitychange"));
    expect(look).toHaveBeenCalledTimes(3);
    vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
    document.dispatchEvent(new Event("visibilitychange"));
    expect(look).toHaveBeenCalledTimes(3);
    end();
    window.dispatchEvent(new Event("focus"));
    window.dispatchEvent(new Event("online"));
    expect(look).toHaveBeenCalledTimes(3);
  });
});
