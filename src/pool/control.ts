/** What a pool's worker hears beside its tasks: which of them nobody waits for any more, and that none comes any more. */
import type { Connection } from '../connection/connection.js';
import type { Task } from './task.js';

export const controlBytes = 4 << 10;
/** In place of a task's number: no task comes any more. */
const noTask = -1;
/** How soon it is tried again where there was no room. */
const againMs = 2;

export class Control {
  readonly #connection: Connection;
  /** What there was no room for, with the time of the last that there was room for, or when there was none first. */
  readonly #unsent: { task: Task | null; message: [number, string] }[] = [];
  #movedAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  abort(task: Task, reason: string): void {
    this.#tell(task, [task.number, reason]);
  }

  finish(): void {
    this.#tell(null, [noTask, '']);
  }

  /** Since when the worker could know of a task's abort, if it heard at all what it was told. */
  toldAt(task: Task): number {
    return task.toldAt === 0 ? this.#movedAt : task.toldAt;
  }

  #tell(task: Task | null, message: [number, string]): void {
    if (this.#unsent.length === 0) {
      if (this.#send(task, message)) return;
      this.#movedAt = performance.now();
    }
    this.#unsent.push({ task, message });
    this.#later();
  }

  #send(task: Task | null, message: [number, string]): boolean {
    try {
      if (!this.#connection.trySend(message)) return false;
    } catch {
      return true; // it has ended
    }
    this.#movedAt = performance.now();
    if (task !== null) task.toldAt = this.#movedAt;
    return true;
  }

  #later(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      for (let next = this.#unsent[0]; next !== undefined; next = this.#unsent[0]) {
        const isOver = next.task !== null && next.task.link === null;
        if (!isOver && !this.#send(next.task, next.message)) break;
        this.#unsent.shift();
      }
      if (this.#unsent.length > 0) this.#later();
    }, againMs).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#unsent.length = 0;
    this.#connection.close();
  }
}
