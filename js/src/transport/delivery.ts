/** Gets a command to the kernel, by one road or another, and done once. */

import type { Comm } from "./comm";
import { isRefused, isUnreachable, Unreachable } from "./errors";
import type { Command, KeptAnswer, KeptRequest, Receipt, Road } from "./http";
import { pause } from "./timing";

export interface DeliveryOptions {
  readonly sessionId: string;
  readonly comm: Comm | null;
  road(): Road | null;
  /** The road did not carry a command. */
  failed(road: Road, error: Error): void;
}

/** Milliseconds; where there is no comm, a connection that broke is tried again. */
const AGAIN: readonly number[] = [500, 2_000];

const NOT_SENT = "The kernel could not be reached, so this was not sent.";

/**
 * Whether another road may still carry it. A command that arrived after all is not done twice: the
 * kernel knows it by its `command_id`.
 */
const isOpen = (error: unknown): error is Error =>
  isUnreachable(error) || (isRefused(error) && error.status === 401);

export class Delivery {
  readonly #options: DeliveryOptions;

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /** Resolves once the kernel did it. Throws `Refused` or `Unreachable`. */
  async send(command: Command): Promise<Receipt> {
    const { comm, sessionId } = this.#options;
    const over = (road: Road) => road.command(sessionId, command);
    const failure = await this.#overRoad(over);
    if (!(failure instanceof Error)) return failure;
    if (comm !== null) return comm.command(command);
    for (const wait of AGAIN) {
      await pause(wait);
      const result = await this.#overRoad(over);
      if (!(result instanceof Error)) return result;
    }
    throw new Unreachable(NOT_SENT);
  }

  /** Asks about the kept conversations. Throws as `send`. */
  async kept(request: KeptRequest): Promise<KeptAnswer> {
    const { comm, sessionId } = this.#options;
    const answer = await this.#overRoad((road) => road.kept(sessionId, request));
    if (!(answer instanceof Error)) return answer;
    if (comm === null) throw new Unreachable(NOT_SENT);
    return comm.kept(request);
  }

  /** A road was found: it carries what the comm could not yet deliver. */
  roadFound(road: Road): void {
    const { comm, sessionId } = this.#options;
    for (const command of comm?.unanswered ?? []) {
      road.command(sessionId, command).then(
        (receipt) => comm?.settle(command.command_id, receipt),
        // What the road cannot do the comm still may: it has the command already.
        (error) => isOpen(error) || comm?.settle(command.command_id, error),
      );
    }
  }

  async #overRoad<T>(ask: (road: Road) => Promise<T>): Promise<T | Error> {
    const road = this.#options.road();
    if (road === null) return new Unreachable("There is no road.");
    try {
      return await ask(road);
    } catch (error) {
      if (!isOpen(error)) throw error;
      this.#options.failed(road, error);
      return error;
    }
  }
}
