/** Something to wait on that forgets no ring. */
import type { Clock } from '../io/clock.ts';

export class Bell {
  readonly #clock: Clock;
  #rung = false;
  #waiting: AbortController | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    this.#rung = true;
    this.#waiting?.abort();
  }

  /** Resolves at once if it rang since the last wait, else at the next ring or after `ms`. Rejects with the signal's reason. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && ms > 0) {
      this.#waiting = new AbortController();
      const either = AbortSignal.any([signal, this.#waiting.signal]);
      await this.#clock.sleep(ms, either).catch(() => signal.throwIfAborted());
    }
    signal.throwIfAborted();
    this.#rung = false;
  }
}
