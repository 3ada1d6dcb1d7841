/** Which key presses in the composer mean something, and which belong to an input method. */

/** Milliseconds in which Safari still delivers the Enter that ended a composition. */
const LATE = 100;

export interface EnterGuard {
  compositionEnd(event: Event): void;
  keyUp(): void;
  /** Whether `event` is an Enter that sends. */
  sends(event: KeyboardEvent): boolean;
}

/**
 * An Enter that chooses a candidate must not send: it says so by `isComposing`, or by key code 229,
 * or, in Safari, comes plain right after compositionend and before any key went up. No state of
 * "composing" is kept, so a compositionend that never comes blocks nothing.
 */
export function enterGuard(): EnterGuard {
  let ended: number | undefined;
  return {
    compositionEnd(event) {
      ended = event.timeStamp;
    },
    keyUp() {
      ended = undefined;
    },
    sends(event) {
      const late = ended !== undefined && event.timeStamp - ended < LATE;
      ended = undefined;
      if (event.key !== "Enter" || event.shiftKey || event.altKey) return false;
      return !(late || isComposing(event));
    },
  };
}

export function isComposing(event: KeyboardEvent): boolean {
  // keyCode is deprecated, and the only sign that some input methods give.
  return event.isComposing || event.keyCode === 229;
}

/** The events that a notebook acts on; inside the chat they are the chat's. */
export const PRIVATE_EVENTS = [
  ..."keydown keyup keypress beforeinput input paste copy cut".split(" "),
  ..."compositionstart compositionupdate compositionend".split(" "),
];
