import type { LockState } from './lock-state.js';

/**
 * One acquisition of a lock: release it once, by `release()`, `using`, or `dispose`.
 *
 * Releasing again is harmless, and so is releasing what somebody has taken away by `lock.release()` meanwhile: a guard
 * gives up its own acquisition only. A guard that is dropped stays held.
 */
export class Guard implements Disposable {
  readonly #state: LockState;
  readonly #ticket: number;
  readonly #abandoned: boolean;

  /** @internal */
  constructor(state: LockState, ticket: number, abandoned: boolean) {
    this.#state = state;
    this.#ticket = ticket;
    this.#abandoned = abandoned;
  }

  /** True if the last owner died holding the lock: check the data before trusting it. */
  get abandoned(): boolean {
    return this.#abandoned || this.#state.told === this.#ticket;
  }

  /** Gives the lock up; wakes or hands over to a waiter. Does not block. */
  release(): void {
    const state = this.#state;
    if (state.ticket === this.#ticket) state.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
