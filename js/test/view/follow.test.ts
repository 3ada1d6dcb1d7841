import { beforeEach, describe, expect, test, vi } from "vitest";
import { type Follower, followEnd } from "../../src/view/follow";

let scroller: HTMLElement;
let content: HTMLElement;
let follower: Follower;
let height: number;
const onChange = vi.fn();

/** jsdom lays nothing out: a scroller of 100 px whose content is `height` px high. */
beforeEach(() => {
  onChange.mockClear();
  height = 500;
  let top = 0;
  scroller = document.createElement("div");
  content = scroller.appendChild(document.createElement("div"));
  Object.defineProperties(scroller, {
    clientHeight: { get: () => 100 },
    scrollHeight: { get: () => height },
    scrollTop: {
      get: () => top,
      set: (value: number) => {
        top = Math.max(0, Math.min(value, height - 100));
      },
    },
  });
  follower = followEnd(scroller, content, onChange);
  follower.follow();
});

function scrollTo(top: number): void {
  scroller.scrollTop = top;
  scroller.dispatchEvent(new Event("scroll"));
}

function grow(by: number): void {
  height += by;
  follower.changed();
}

describe("the end of the talk", () => {
  test("is followed", () => {
    expect(scroller.scrollTop).toBe(400);
    grow(50);
    expect(scroller.scrollTop).toBe(450);
    expect(onChange).not.toHaveBeenCalled();
  });

  test("is left as soon as the reader scrolls up, be it by little", () => {
    scrollTo(390);
    expect(onChange).toHaveBeenLastCalledWith(false);
    grow(50);
    expect(scroller.scrollTop).toBe(390);
  });

  test("is left by the wheel before the scrolling begins", () => {
    scroller.dispatchEvent(new WheelEvent("wheel", { deltaY: -10 }));
    grow(50);
    expect(scroller.scrollTop).toBe(400);
  });

  test("is followed again once the reader is back", () => {
    scrollTo(100);
    scrollTo(300);
    expect(onChange).toHaveBeenLastCalledWith(false);
    scrollTo(370);
    expect(onChange).toHaveBeenLastCalledWith(true);
    grow(50);
    expect(scroller.scrollTop).toBe(450);
  });

  test("is followed again from the End key on, however fast it moves away", () => {
    scrollTo(100);
    scroller.dispatchEvent(new KeyboardEvent("keydown", { key: "End" }));
    expect(onChange).toHaveBeenLastCalledWith(true);
    grow(500);
    expect(scroller.scrollTop).toBe(900);
  });

  test("is gone to when asked", () => {
    scrollTo(0);
    follower.follow();
    expect(onChange).toHaveBeenLastCalledWith(true);
    expect(scroller.scrollTop).toBe(400);
  });

  test("content that becomes shorter is not somebody scrolling up", () => {
    height = 300;
    scrollTo(400);
    grow(10);
    expect(scroller.scrollTop).toBe(210);
    expect(onChange).not.toHaveBeenCalled();
  });
});
