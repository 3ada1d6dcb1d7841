/** Keeps the end of a scroller in sight until its reader scrolls up. */

/** CSS pixels from the end that still count as the end. */
const NEAR = 40;

export interface Follower {
  /** Goes to the end and stays there. */
  follow(): void;
  /** Call after the content changed: goes to the end if it is being followed. */
  changed(): void;
  dispose(): void;
}

export function followEnd(
  scroller: HTMLElement,
  content: HTMLElement,
  onChange: (following: boolean) => void,
): Follower {
  let following = true;
  let top = 0;

  function set(next: boolean): void {
    if (next === following) return;
    following = next;
    onChange(next);
  }

  function toEnd(): void {
    if (!following) return;
    scroller.scrollTop = scroller.scrollHeight;
    top = scroller.scrollTop;
  }

  function onScroll(): void {
    const rest = scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;
    // Upwards, unless the content only became shorter.
    if (scroller.scrollTop < top && rest > 1) set(false);
    else if (rest <= NEAR) set(true);
    top = scroller.scrollTop;
  }

  /** Before the first scroll event of a gesture, the next token would already pull the reader down. */
  function onWheel(event: WheelEvent): void {
    if (event.deltaY < 0 && scroller.scrollTop > 0) set(false);
  }

  /** The end moves on while the browser still scrolls to where it was. */
  function onKey(event: KeyboardEvent): void {
    if (event.key !== "End" || event.target !== scroller) return;
    set(true);
    toEnd();
  }

  scroller.addEventListener("keydown", onKey);
  scroller.addEventListener("scroll", onScroll, { passive: true });
  scroller.addEventListener("wheel", onWheel, { passive: true });
  // Runs after layout and before paint: no forced layout, and nobody sees the step.
  const resize = typeof ResizeObserver === "undefined" ? undefined : new ResizeObserver(toEnd);
  resize?.observe(content);
  resize?.observe(scroller);

  return {
    follow() {
      set(true);
      toEnd();
    },
    changed() {
      if (!resize) toEnd();
    },
    dispose() {
      scroller.removeEventListener("scroll", onScroll);
      scroller.removeEventListener("wheel", onWheel);
      scroller.removeEventListener("keydown", onKey);
      resize?.disconnect();
    },
  };
}
