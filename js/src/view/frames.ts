/**
 * One call before the next paint. A hidden tab and an iframe out of sight get no animation frames,
 * and a page that is throttled gets them late: a timer goes alongside.
 */

/** Milliseconds; late enough to lose against every frame that comes. */
const LATEST = 200;

export interface Frame {
  /** Asks for a call; asking again before it came changes nothing. */
  request(): void;
  cancel(): void;
}

export function frame(call: (now: number) => void): Frame {
  let animation = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function cancel(): void {
    cancelAnimationFrame(animation);
    clearTimeout(timer);
    timer = undefined;
  }

  function run(): void {
    cancel();
    call(performance.now());
  }

  return {
    request() {
      if (timer !== undefined) return;
      animation = requestAnimationFrame(run);
      timer = setTimeout(run, document.hidden ? 0 : LATEST);
    },
    cancel,
  };
}
