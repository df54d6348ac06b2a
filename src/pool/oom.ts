/** Whether the kernel has killed a process of this control group for memory: what its memory.events says. */
import { readFileSync } from 'node:fs';

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/** How many have been killed, where that can be known; else 0. */
export function countOomKills(root = '/sys/fs/cgroup', membership = read('/proc/self/cgroup')): number {
  for (const line of membership.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined || (controllers !== '' && controllers?.split(',').includes('memory') !== true))
      continue;
    const files =
      controllers === ''
        ? [`${root}${path}/memory.events`, `${root}/memory.events`]
        : [`${root}/memory${path}/memory.oom_control`, `${root}/memory/memory.oom_control`];
    for (const file of files) {
      const count = /^oom_kill (\d+)$/m.exec(read(file))?.[1];
      if (count !== undefined) return Number(count);
    }
  }
  return 0;
}

class OomKills {
  #known: number | null = null;

  /** Remembers how many there are, so that hasGrown() can tell. */
  note(): void {
    this.#known ??= countOomKills();
  }

  /** Whether there are more than at the last look. */
  hasGrown(): boolean {
    const known = this.#known;
    this.#known = countOomKills();
    return known !== null && this.#known > known;
  }
}

export const oomKills = new OomKills();
