/**
 * What one environment knows of one condition: which of its tasks wait, and which of them have been notified.
 *
 *   tasks      asynchronous waits, oldest first. A task is notified once, by order; then it gets its lock back, and only
 *              then it is done, here and at the seat (native/core/condition.h, C3)
 *   assigned   tasks that are notified and not done: of the seat's `granted`, those that have found their task
 *
 * A task whose time is up, or whose signal is aborted, gets its lock back first as well. A notify that reaches it meanwhile
 * is its own (timeout: the wait ends with true) or goes to the next one (abort).
 */
import { Outcome } from '../native/arena-binding.js';
import { orFail } from '../native/failure.js';
import { native } from '../native/load.js';
import { InterruptedError } from '../errors.js';
import { interrupted } from './interrupted.js';
import type { LockHandle } from './lock-handle.js';
import type { Suspended } from './lock-state.js';
import { SeatState } from './seat.js';
import type { SyncReference } from './sync-handle.js';
import type { LaterTask } from './wait-later.js';
import { addWait, forgetWait, keepAlive, listen } from './waits.js';

interface Waiting {
  readonly task: LaterTask<boolean>;
  readonly lock: LockHandle;
  readonly suspended: Suspended;
  readonly ticket: number;
  notified: boolean;
  /** On its way to get the lock back. */
  returning: boolean;
  /** Turns back on that way. */
  turnBack?: () => void;
  /** How it ends if nobody notifies it. */
  otherwise: { readonly failed: false } | { readonly failed: true; readonly reason: unknown };
}

export class ConditionState extends SeatState {
  readonly #tasks: Waiting[] = [];
  #assigned = 0;
  #waitId = 0;

  static of(reference: SyncReference): ConditionState {
    const known = reference.local;
    if (known instanceof ConditionState) return known;
    const state = new ConditionState(reference);
    reference.local = state;
    return state;
  }

  override forked(): void {
    super.forked();
    this.#tasks.length = 0;
    this.#assigned = this.#waitId = 0;
  }

  get mustStay(): boolean {
    return this.#tasks.length > 0;
  }

  /** Begins a wait: the lock, which we hold, is free afterwards. */
  add(task: LaterTask<boolean>, lock: LockHandle): void {
    listen();
    const ticket = native.conditionEnter(this.index, this.seat);
    const waiting: Waiting = {
      task,
      lock,
      ticket,
      suspended: lock.suspend(),
      notified: false,
      returning: false,
      otherwise: { failed: false },
    };
    this.#tasks.push(waiting);
    keepAlive(1);
    this.#watch();
  }

  /** The time is up. */
  timedOut(task: LaterTask<boolean>): void {
    const waiting = this.#find(task);
    if (waiting !== undefined) this.#return(waiting);
  }

  aborted(task: LaterTask<boolean>, reason: unknown): void {
    const waiting = this.#find(task);
    if (waiting === undefined) return;
    waiting.otherwise = { failed: true, reason };
    this.#return(waiting);
  }

  /** Waits blocking this thread: true if notified. */
  waitSync(lock: LockHandle, timeoutMs: number, what: string): boolean {
    native.conditionEnter(this.index, this.seat);
    const state = lock.lockState;
    const suspended = state.suspendQuietly();
    const end = performance.now() + timeoutMs;
    let stopped: InterruptedError | undefined;
    let notified = false;
    for (let outcome: Outcome = Outcome.acquired; outcome === Outcome.acquired && !notified;) {
      outcome = native.waitBell(this.index, this.seat, Math.max(0, end - performance.now()));
      notified = native.conditionGranted(this.index, this.seat) > this.#assigned;
      if (outcome === Outcome.interrupted) stopped = interrupted(what);
    }
    if (notified) this.#assigned++;
    let got: Outcome | undefined;
    while (got === undefined) {
      try {
        got = state.wait(Infinity, what);
      } catch (error) {
        if (!(error instanceof InterruptedError)) {
          this.#end(notified);
          throw error;
        }
        stopped = error; // not without the lock
      }
    }
    lock.resume(suspended, got === Outcome.abandoned);
    if (!notified && native.conditionGranted(this.index, this.seat) > this.#assigned) {
      notified = true; // while we were getting the lock back
      this.#assigned++;
    }
    this.#end(notified);
    this.#watch();
    if (stopped !== undefined && !notified) throw stopped;
    return notified;
  }

  /** Notifies up to n tasks, of any environment; returns how many. */
  notify(n: number): number {
    return native.conditionNotify(this.index, this.seat, n);
  }

  failRequests(handle: object, reason: () => unknown): void {
    for (const waiting of [...this.#tasks]) if (waiting.task.handle === handle) this.#fail(waiting, reason());
  }

  #find(task: LaterTask<boolean>): Waiting | undefined {
    return this.#tasks.find((waiting) => waiting.task === task);
  }

  #watch(): void {
    if (this.#waitId !== 0 || this.#tasks.every(({ notified }) => notified)) return;
    this.#waitId = orFail('ERR_MP_MEMORY', 'no thread can be started that waits', () =>
      native.watchBell(this.index, this.seat),
    );
    addWait(this.#waitId, () => {
      this.#waitId = 0;
      this.#distribute();
      this.#watch();
    });
  }

  /** Tells the oldest tasks that they are notified. */
  #distribute(): void {
    let news = native.conditionGranted(this.index, this.seat) - this.#assigned;
    // A copy: who gets the lock at once is done, and leaves.
    for (const waiting of [...this.#tasks]) {
      if (news <= 0) break;
      if (waiting.notified) continue;
      news--;
      this.#assigned++;
      waiting.notified = true;
      this.#return(waiting);
    }
  }

  /** Gets the task's lock back; then it is done. */
  #return(waiting: Waiting): void {
    if (waiting.returning) return;
    waiting.returning = true;
    try {
      waiting.turnBack = waiting.lock.lockState.enqueue({
        handle: waiting.lock,
        since: performance.now(),
        grant: (abandoned) => {
          waiting.lock.resume(waiting.suspended, abandoned);
          if (!waiting.notified) this.#distribute();
          this.#finish(waiting);
        },
        fail: (reason) => {
          this.#fail(waiting, reason);
        },
      });
    } catch (error) {
      this.#fail(waiting, error); // the lock's handle is closed
    }
  }

  #finish(waiting: Waiting): void {
    const { task, notified, otherwise } = waiting;
    if (notified && otherwise.failed) this.notify(1); // it was for somebody who still wants it; before we are done (C3)
    this.#remove(waiting);
    if (otherwise.failed) task.fail(otherwise.reason);
    else task.done(notified);
  }

  /** Ends a wait without the lock. */
  #fail(waiting: Waiting, reason: unknown): void {
    if (!this.#tasks.includes(waiting)) return;
    waiting.turnBack?.();
    if (waiting.notified) this.notify(1); // it was for somebody who still can go on
    this.#remove(waiting);
    waiting.task.fail(reason);
  }

  #remove(waiting: Waiting): void {
    const at = this.#tasks.indexOf(waiting);
    if (at < 0) return;
    this.#tasks.splice(at, 1);
    keepAlive(-1);
    this.#end(waiting.notified);
    if (this.#tasks.length > 0) return;
    if (this.#waitId !== 0) {
      forgetWait(this.#waitId);
      native.cancelWait(this.#waitId);
      this.#waitId = 0;
    }
    this.reference.settle();
  }

  /** Takes a task's wait off the seat. */
  #end(notified: boolean): void {
    if (notified) this.#assigned--;
    const oldest = this.#tasks.find((waiting) => !waiting.notified)?.ticket ?? 0;
    // Not notified, and yet no longer waiting: a notify came that we have not looked at. It goes to the next one.
    if (!native.conditionDone(this.index, this.seat, notified, oldest) && !notified) {
      this.notify(1); // first: should we die in between, it is passed on
      native.conditionDone(this.index, this.seat, true, oldest);
    }
  }
}
