/**
 * The two ways in which asking the kernel fails. Told apart by `name`, never by `instanceof`: every
 * widget brings its own copy of this module, and copies share one hub.
 */

import { isFields } from "../state/message";

/** The kernel answered, and the answer is no. Asking again by another road changes nothing. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly kind: string;
  /** The HTTP status, 0 where the answer came over the comm. */
  readonly status: number;

  constructor(kind: string, message: string, status = 0) {
    super(message);
    this.kind = kind;
    this.status = status;
  }
}

/** No answer came, or one that is not the kernel's (a proxy's page, say): another road may do. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
  readonly kind = "connection";
  /** The connection stood and nothing came over it, not even a heartbeat. */
  readonly silent: boolean;

  constructor(message: string, silent = false) {
    super(message);
    this.silent = silent;
  }
}

export const isRefused = (error: unknown): error is Refused =>
  error instanceof Error && error.name === "Refused";

export const isUnreachable = (error: unknown): error is Unreachable =>
  error instanceof Error && error.name === "Unreachable";

/** The `{"error": {"kind", "message"}}` of an answer, null where it has none. */
export function readError(body: unknown, status = 0): Refused | null {
  const error = isFields(body) ? body.error : undefined;
  if (!isFields(error) || typeof error.kind !== "string") return null;
  const message = typeof error.message === "string" ? error.message : error.kind;
  return new Refused(error.kind, message, status);
}
