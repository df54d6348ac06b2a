/** The processes below one, as the system knows them. */
import { readdirSync, readFileSync } from 'node:fs';
import { native } from '../native/load.js';
import { onWindows } from '../native/system.js';

export interface Descendant {
  pid: number;
  /** When it started: with the pid it names the process for good. */
  started: string;
}

/** A snapshot of all descendants, parents before their children. Blocks for some 20 µs a process. */
export function descendantsOf(pid: number): Descendant[] {
  const found: Descendant[] = [];
  const queue = [pid];
  // To the system the children of a forkserver are its own, whoever asked for them.
  const forked = native.forkserverCensus();
  const forkedFor = (parent: number): number[] =>
    forked.filter((_, i) => i % 2 === 1 && forked[i - 1] === parent);
  for (const parent of queue) {
    for (const child of [...childrenOf(parent), ...forkedFor(parent)]) {
      found.push({ pid: child, started: native.processStart(child) });
      queue.push(child);
    }
  }
  return found;
}

/** Signals a process of a snapshot, unless its pid is somebody else's by now. */
export function signalDescendant({ pid, started }: Descendant, signal: NodeJS.Signals): void {
  if (started === '0' || native.processStart(pid) !== started) return;
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended, or is not ours to signal.
  }
}

function childrenOf(pid: number): number[] {
  if (onWindows) return native.processChildren(pid);
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
    );
  } catch (error) {
    // Kernels without CONFIG_PROC_CHILDREN have no such file; a process that has ended has no children any more.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' && native.processStart(pid) !== '0'
      ? scanFor(pid)
      : [];
  }
}

function scanFor(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent;
      } catch {
        return false;
      }
    })
    .map(Number);
}
