/**
 * How the calls of one environment wait for one thing of a queue: a message, room, or that all is done.
 *
 *   tasks     asynchronous calls, oldest first; only the first has the seat stand in line
 *   waitId    the waiter thread's wait for the seat's bell, while the first is in line
 *
 * Being notified is no more than being told to look again (native/core/queue.h, Q3): a task tries, and stands in line again at
 * its old place if somebody else was faster.
 */
import { Outcome } from '../native/arena-binding.js';
import { orFail } from '../native/failure.js';
import { native } from '../native/load.js';
import { How } from '../native/message-binding.js';
import { interrupted } from '../sync/interrupted.js';
import { addWait, forgetWait, keepAlive, listen } from '../sync/waits.js';

/** Tries with a seat, as `how` says (How): true if that ended the call; else the seat stands in line now. */
export type Attempt = (seat: number, how: number) => boolean;

export interface LineTask {
  readonly handle: object;
  /** As Attempt. Ends the call by itself, with a value or an error. */
  attempt: Attempt;
  fail(reason: unknown): void;
}

export class QueueLine {
  readonly #index: number;
  readonly #id: number;
  readonly #settle: () => void;
  #seat = -1;
  readonly #tasks: LineTask[] = [];
  #waitId = 0;
  #inLine = false;

  /** @param index the queue's slot @param id of openQueue @param settle gives the queue back if that was its last use */
  constructor(index: number, id: number, settle: () => void) {
    this.#index = index;
    this.#id = id;
    this.#settle = settle;
  }

  get waiting(): number {
    return this.#tasks.length;
  }

  get seat(): number {
    if (this.#seat < 0) {
      this.#seat = orFail('ERR_MP_MEMORY', 'a seat at a queue cannot be had', () =>
        native.joinMonitor(this.#index),
      );
    }
    return this.#seat;
  }

  leave(): void {
    if (this.#seat >= 0) native.leaveMonitor(this.#index, this.#seat);
    this.#seat = -1;
  }

  forked(): void {
    this.#seat = -1;
    this.#tasks.length = 0;
    this.#waitId = 0;
    this.#inLine = false;
  }

  add(task: LineTask): void {
    listen();
    this.#tasks.push(task);
    keepAlive(1);
    if (this.#tasks.length === 1) this.#arm();
  }

  /** False: it has ended already. */
  remove(task: LineTask): boolean {
    const at = this.#tasks.indexOf(task);
    if (at < 0) return false;
    if (at === 0) this.#callBack();
    this.#tasks.splice(at, 1);
    keepAlive(-1);
    if (at === 0) this.#arm();
    this.#settle();
    return true;
  }

  failAll(handle: object, reason: () => unknown): void {
    for (const task of [...this.#tasks])
      if (task.handle === handle && this.remove(task)) task.fail(reason());
  }

  /** Blocks this thread until `attempt` says true. False: the timeout has passed. */
  wait(attempt: Attempt, timeoutMs: number, what: string): boolean {
    this.#callBack(); // our tasks cannot go on while this thread blocks
    const end = performance.now() + timeoutMs;
    const { seat } = this;
    let ended = false;
    try {
      ended = attempt(seat, How.stands | How.spins);
      while (!ended) {
        const left = end - performance.now();
        const outcome =
          left > 0 ? native.waitBell(this.#index, seat, left) : Outcome.timedOut;
        if (outcome === Outcome.interrupted) throw interrupted(what);
        if (outcome !== Outcome.acquired) break;
        ended = attempt(seat, How.stands);
      }
    } finally {
      if (!ended) native.queueWithdraw(this.#id, seat);
      this.#arm();
    }
    return ended;
  }

  /** Lets the first task, and as many as can go on, try; has the next one stand in line. */
  #arm(): void {
    while (this.#tasks.length > 0 && this.#waitId === 0) {
      const task = this.#tasks[0]!;
      try {
        if (task.attempt(this.seat, How.stands)) {
          this.#inLine = false;
          this.#tasks.shift();
          keepAlive(-1);
          continue;
        }
        this.#inLine = true;
        this.#waitId = orFail('ERR_MP_MEMORY', 'no thread can be started that waits', () =>
          native.watchBell(this.#index, this.seat),
        );
      } catch (error) {
        this.#callBack();
        this.#tasks.shift();
        keepAlive(-1);
        task.fail(error);
        continue;
      }
      addWait(this.#waitId, () => {
        this.#waitId = 0;
        this.#arm();
        this.#settle();
      });
    }
  }

  /** Takes the seat out of the line. */
  #callBack(): void {
    if (this.#waitId !== 0) {
      forgetWait(this.#waitId);
      native.cancelWait(this.#waitId);
      this.#waitId = 0;
    }
    if (this.#inLine) native.queueWithdraw(this.#id, this.#seat);
    this.#inLine = false;
  }
}
