/**
 * Whether the kernel has killed a worker for memory. Nothing says so of a single process: the control group only counts how
 * many it has killed. So this is an inference, of a worker that was ended by SIGKILL, and whoever else kills a worker at the
 * moment in which the kernel kills another process of the group is mistaken for it.
 */
import { readFileSync } from 'node:fs';

/** An uptick is a worker's for so long. */
const freshMs = 1000;

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

const countIn = (file: string): number | null => {
  const count = /^oom_kill (\d+)$/m.exec(read(file))?.[1];
  return count === undefined ? null : Number(count);
};

/** The file that counts those of this control group which have been killed, the ones below it left out where that is possible. */
export function oomFile(root = '/sys/fs/cgroup', membership = read('/proc/self/cgroup')): string | null {
  for (const line of membership.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined || (controllers !== '' && controllers?.split(',').includes('memory') !== true))
      continue;
    const groups =
      controllers === '' ? [`${root}${path}`, root] : [`${root}/memory${path}`, `${root}/memory`];
    const names = controllers === '' ? ['memory.events.local', 'memory.events'] : ['memory.oom_control'];
    for (const group of groups)
      for (const name of names) if (countIn(`${group}/${name}`) !== null) return `${group}/${name}`;
  }
  return null;
}

function counterOf(): () => number {
  let file: string | null | undefined;
  return () => {
    if (file === undefined) file = oomFile();
    return file === null ? 0 : (countIn(file) ?? 0);
  };
}

export class OomKills {
  readonly #count: () => number;
  readonly #now: () => number;
  #known = 0;
  #lookedAt = -Infinity;
  /** Kills that are no worker's yet, and when they were first seen. */
  #unexplained = 0;
  #seenAt = 0;

  constructor(count = counterOf(), now = (): number => performance.now()) {
    this.#count = count;
    this.#now = now;
  }

  /** How many there have been; to be called when a worker starts, and now and then, so that an older one is not taken for new. */
  look(): number {
    const now = this.#now();
    const count = this.#count();
    if (now - this.#seenAt > freshMs) this.#unexplained = 0;
    if (count > this.#known && this.#lookedAt > -Infinity) {
      this.#unexplained += count - this.#known;
      this.#seenAt = now;
    }
    this.#known = count;
    this.#lookedAt = now;
    return count;
  }

  lookSometimes(now = this.#now()): void {
    if (now - this.#lookedAt >= freshMs) this.look();
  }

  /** Whether one is likely that of a worker which has just been ended by SIGKILL, and saw so many when it started. */
  explains(countAtStart: number): boolean {
    if (this.look() <= countAtStart || this.#unexplained === 0) return false;
    this.#unexplained--;
    return true;
  }
}

export const oomKills = new OomKills();
