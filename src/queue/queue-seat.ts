/** A seat at a queue (native/core/monitor.h): one for each thing that an environment waits for. */
import type { Outcome } from '../native/arena-binding.js';
import { orFail } from '../native/failure.js';
import { native } from '../native/load.js';
import type { Bell } from '../sync/wait-line.js';

export class QueueSeat implements Bell {
  readonly #index: number;
  readonly #id: number;
  #number = -1;

  /** @param index the queue's slot @param id of openRing */
  constructor(index: number, id: number) {
    this.#index = index;
    this.#id = id;
  }

  /** Taken at the first use. */
  get number(): number {
    if (this.#number < 0) {
      this.#number = orFail('ERR_MP_MEMORY', 'a seat at a queue cannot be had', () =>
        native.joinMonitor(this.#index),
      );
    }
    return this.#number;
  }

  giveUp(): void {
    if (this.#number >= 0) native.leaveMonitor(this.#index, this.#number);
    this.#number = -1;
  }

  forked(): void {
    this.#number = -1;
  }

  block(timeoutMs: number): Outcome {
    return native.waitBell(this.#index, this.number, timeoutMs);
  }

  watch(): number {
    return native.watchBell(this.#index, this.number);
  }

  leave(): void {
    if (this.#number >= 0) native.queueWithdraw(this.#id, this.#number);
  }
}
