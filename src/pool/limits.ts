/** How long tasks of a map may run. Whether one runs says the board; that is looked at now and then. */
import { TimeoutError } from '../errors.js';
import type { Task } from './task.js';

const lookEveryMs = 50;

/** A task that may run so long, and since when it has been seen to run: 0 if it does not. */
interface Limited {
  readonly task: Task;
  readonly timeoutMs: number;
  since: number;
}

export class RunLimits {
  readonly #abort: (task: Task, reason: unknown) => void;
  readonly #limited = new Set<Limited>();
  #timer: NodeJS.Timeout | undefined;

  /** @param abort ends a task that has run too long */
  constructor(abort: (task: Task, reason: unknown) => void) {
    this.#abort = abort;
  }

  add(task: Task, timeoutMs: number): void {
    if (task.isEnded) return;
    this.#limited.add({ task, timeoutMs, since: 0 });
    this.#watch();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #watch(): void {
    if (this.#timer !== undefined || this.#limited.size === 0) return;
    let soonest = lookEveryMs;
    for (const { timeoutMs } of this.#limited) soonest = Math.min(soonest, Math.max(1, timeoutMs / 4));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const now = performance.now();
      for (const limited of [...this.#limited]) this.#look(limited, now);
      this.#watch();
    }, soonest);
    this.#timer.unref();
  }

  #look(limited: Limited, now: number): void {
    const { task, timeoutMs } = limited;
    if (task.isEnded) this.#limited.delete(limited);
    else if (task.link === null || !task.link.board.isStarted(task.number)) limited.since = 0;
    else if (limited.since === 0) limited.since = now;
    else if (now - limited.since >= timeoutMs)
      this.#abort(task, new TimeoutError(`${task.fn.name}() ran longer than ${timeoutMs} ms`));
  }
}
