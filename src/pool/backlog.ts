/**
 * The tasks that no worker has room for yet, as they were when they were handed in: their arguments are records already, so
 * that what the caller changes afterwards does not change them, and a hundred thousand of them are some megabytes.
 *
 * Those of higher priority come first, and within a priority the oldest.
 */
import { Memory } from '../codec/memory.js';
import { recordBytesMax } from '../message/record.js';
import { MessageWriter } from '../message/writer.js';
import type { Task } from './task.js';

const chunkBytes = 256 << 10;
const headFlags = 1;

interface Level {
  readonly priority: number;
  tasks: Task[];
  /** The next one's index: what is before it has gone. */
  head: number;
}

export class Backlog {
  readonly #writer = new MessageWriter();
  readonly #levels: Level[] = [];
  #chunk: Memory | null = null;
  #used = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Adds a task with its arguments. @throws MultiprocessingError for what cannot be cloned, or finds no memory */
  push(task: Task, value: unknown, rootName: string): void {
    const room = recordBytesMax;
    if (this.#chunk === null || this.#used + room > chunkBytes) {
      this.#chunk = new Memory(new ArrayBuffer(chunkBytes));
      this.#used = 0;
    }
    const start = this.#used;
    try {
      const stop = this.#writer.write(value, this.#chunk, start, start + room, room, rootName);
      if (this.#chunk.ints[(start >>> 2) + headFlags] === 0) {
        task.memory = this.#chunk;
        task.start = start;
        task.bytes = stop - start;
        this.#used = stop;
      } else {
        const bytes = new Uint8Array(this.#chunk.bytes.subarray(start, stop));
        task.packed = { bytes, settle: this.#writer.keep() };
      }
    } finally {
      this.#writer.settle();
    }
    this.#level(task.priority).tasks.push(task);
    this.#length++;
  }

  /** Puts tasks that have a record before all others of their priority; the first of them first. */
  unshift(tasks: readonly Task[]): void {
    for (const task of [...tasks].reverse()) {
      const level = this.#level(task.priority);
      if (level.head > 0) level.tasks[--level.head] = task;
      else level.tasks.unshift(task);
      this.#length++;
    }
  }

  /** The task whose turn it is; null: there is none. */
  peek(): Task | null {
    for (const level of this.#levels) {
      const task = level.tasks[level.head];
      if (task !== undefined) return task;
    }
    return null;
  }

  /** Takes out what peek() gave. */
  shift(): void {
    const level = this.#levels.find(({ tasks, head }) => head < tasks.length)!;
    (level.tasks as (Task | undefined)[])[level.head++] = undefined;
    this.#length--;
    if (level.head === level.tasks.length) {
      if (this.#levels.length > 1) this.#levels.splice(this.#levels.indexOf(level), 1);
      else level.tasks = [];
      level.head = 0;
    } else if (level.head >= 4096 && level.head * 2 > level.tasks.length) {
      level.tasks = level.tasks.slice(level.head);
      level.head = 0;
    }
    if (this.#length === 0) this.#chunk = null;
  }

  /** Takes all out. */
  clear(): Task[] {
    const all = this.#levels.flatMap(({ tasks, head }) => tasks.slice(head));
    this.#levels.length = this.#length = 0;
    this.#chunk = null;
    return all;
  }

  #level(priority: number): Level {
    const at = this.#levels.findIndex((level) => level.priority <= priority);
    const found = at < 0 ? undefined : this.#levels[at];
    if (found?.priority === priority) return found;
    const level = { priority, tasks: [], head: 0 };
    this.#levels.splice(at < 0 ? this.#levels.length : at, 0, level);
    return level;
  }
}
