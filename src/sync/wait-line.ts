/**
 * How the calls of one environment wait for one thing: a message in a queue, room in a pipe.
 *
 *   tasks     asynchronous calls, oldest first; only the first is in line
 *   waitId    the waiter thread's wait for the bell, while the first is in line
 *
 * A bell that rings says no more than: look again. A task tries, and is in line again if somebody else was faster.
 */
import { Outcome } from '../native/arena-binding.js';
import { orFail } from '../native/failure.js';
import { native } from '../native/load.js';
import { How } from '../native/message-binding.js';
import { interrupted } from './interrupted.js';
import { type LaterTask, waitLater } from './wait-later.js';
import type { Wait } from './wait-options.js';
import { addWait, forgetWait, keepAlive, listen } from './waits.js';

/** What tells a line to look again. */
export interface Bell {
  /** Blocks this thread until it rings. */
  block(timeoutMs: number): Outcome;
  /** The same through onWaitDone: the id of the wait. */
  watch(): number;
  /** Whoever is in line is not any more. */
  leave(): void;
}

/** Tries, as `how` says (How): true if that ended the call; else it is in line now. */
export type Attempt = (how: number) => boolean;

interface LineTask {
  readonly handle: object;
  /** Ends the call by itself, with a value; an error that it throws ends it as well. */
  readonly attempt: Attempt;
  fail(reason: unknown): void;
}

export class WaitLine {
  readonly #bell: Bell;
  readonly #settle: () => void;
  readonly #tasks: LineTask[] = [];
  #waitId = 0;
  #inLine = false;

  /** @param settle gives what is waited for back, if that was its last use */
  constructor(bell: Bell, settle: () => void) {
    this.#bell = bell;
    this.#settle = settle;
  }

  get waiting(): number {
    return this.#tasks.length;
  }

  forked(): void {
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
    for (const task of [...this.#tasks]) if (task.handle === handle && this.remove(task)) task.fail(reason());
  }

  /**
   * Blocks this thread until `attempt` says true. False: the timeout has passed. The tasks that came before go first: they
   * cannot go on by themselves while this thread blocks.
   */
  block(attempt: Attempt, timeoutMs: number, what: string): boolean {
    this.#callBack();
    const end = performance.now() + timeoutMs;
    let ended = false;
    try {
      for (let how: number = How.stands | How.spins; ; how = How.stands) {
        ended = this.#advance(how) && attempt(how);
        if (ended) return true;
        const left = end - performance.now();
        const outcome = left > 0 ? this.#bell.block(left) : Outcome.timedOut;
        if (outcome === Outcome.interrupted) throw interrupted(what);
        if (outcome !== Outcome.acquired) return false;
      }
    } finally {
      if (!ended) this.#bell.leave();
      this.#inLine = false;
      this.#arm();
      this.#settle();
    }
  }

  /** Lets the tasks try, in their order. True: none is left; false: the first one is in line. */
  #advance(how: number): boolean {
    for (let task = this.#tasks[0]; task !== undefined; task = this.#tasks[0]) {
      try {
        if (!task.attempt(how)) {
          this.#inLine = true;
          return false;
        }
        this.#shift();
      } catch (error) {
        this.#fail(error);
      }
    }
    return true;
  }

  #shift(): LineTask {
    this.#inLine = false;
    keepAlive(-1);
    return this.#tasks.shift()!;
  }

  #fail(error: unknown): void {
    this.#callBack();
    this.#shift().fail(error);
  }

  /** Lets the tasks try, and has the one that is to wait wait. */
  #arm(): void {
    while (this.#waitId === 0 && !this.#advance(How.stands)) {
      try {
        this.#waitId = orFail('ERR_MP_MEMORY', 'no thread can be started that waits', () =>
          this.#bell.watch(),
        );
      } catch (error) {
        this.#fail(error);
        continue;
      }
      addWait(this.#waitId, () => {
        this.#waitId = 0;
        this.#arm();
        this.#settle();
      });
    }
  }

  #callBack(): void {
    if (this.#waitId !== 0) {
      forgetWait(this.#waitId);
      native.cancelWait(this.#waitId);
      this.#waitId = 0;
    }
    if (this.#inLine) this.#bell.leave();
    this.#inLine = false;
  }
}

interface Waiting<T> {
  /** Tries: null if it is to wait on. */
  readonly attempt: (how: number) => { value: T } | null;
  readonly timedOut: () => Error;
  /** Called when the wait has ended in vain. */
  readonly dropped?: () => void;
}

/** A promise for what a task of a line gets. */
export function waitInLine<T>(
  handle: object,
  line: WaitLine,
  { timeout, signal }: Wait,
  { attempt, timedOut, dropped }: Waiting<T>,
): Promise<T> {
  let task: LineTask | undefined;
  const begin = (later: LaterTask<T>): void => {
    task = {
      handle,
      attempt(how) {
        const got = attempt(how);
        if (got !== null) later.done(got.value);
        return got !== null;
      },
      fail(reason) {
        dropped?.();
        later.fail(reason);
      },
    };
    line.add(task);
  };
  const giveUp = (reason: () => unknown): void => {
    if (line.remove(task!)) task!.fail(reason());
  };
  return waitLater<T>({
    handle,
    timeout,
    signal,
    begin,
    timedOut() {
      giveUp(timedOut);
    },
    aborted(_, reason) {
      giveUp(() => reason);
    },
  });
}
