/** First-token time and token rate of the answer that is being written, as this view sees them. */

import type { Message, Timing } from "../state/types";

/** Milliseconds of writing before a rate means anything. */
const SETTLING = 500;

export class Pace {
  private id = "";
  private began: number | undefined;
  private first: number | undefined;
  private counted = 0;

  /** `timing` as the kernel gives it at the end; until then what was seen from here. */
  read(message: Message | undefined, now: number): Timing {
    if (!message) return {};
    if (message.timing) return message.timing;
    if (message.status !== "streaming") return {};
    if (message.id !== this.id) this.start(message, now);
    if (this.first === undefined && message.text) {
      this.first = now;
      this.counted = message.tokens;
    }
    // An answer that was already running when this view came has no known beginning.
    const writing = this.first === undefined ? 0 : now - this.first;
    return {
      first_token_ms:
        this.began === undefined || this.first === undefined ? null : this.first - this.began,
      tokens_per_second:
        writing < SETTLING ? null : ((message.tokens - this.counted) * 1000) / writing,
    };
  }

  private start(message: Message, now: number): void {
    this.id = message.id;
    this.began = message.text ? undefined : now;
    this.first = undefined;
  }
}
