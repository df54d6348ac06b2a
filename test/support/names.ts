/** Names for named objects, of this test file's process only, and their removal. */
import { readdirSync, rmSync } from 'node:fs';
import { eventually, isRunning } from './child.js';

let count = 0;

export function uniqueName(): string {
  return `test-${process.pid}-${++count}`;
}

/** Everything in /dev/shm whose name contains `part`. */
export function sharedFiles(part: string): string[] {
  return readdirSync('/dev/shm').filter((name) => name.includes(part));
}

/**
 * Resolves when nothing is left of what killed creators had half made; `sweep` looks for it. Other tests make and kill at the
 * same time: what the living make is theirs, and what was left a moment ago may need another look.
 */
export async function nothingHalfMade(sweep: () => unknown): Promise<void> {
  await eventually('nothing half made is left', () => {
    sweep();
    return sharedFiles('.multiproc.new-').every((name) => isRunning(Number(/new-(\d+)/.exec(name)![1])));
  });
}

/** Removes what tests of this process left, e.g. after a failure. */
export function removeNames(): void {
  for (const name of sharedFiles(`test-${process.pid}-`)) rmSync(`/dev/shm/${name}`, { force: true });
}

/** The name, code and message of what a call throws. */
export function thrown(call: () => unknown): { name: string; code: string; message: string } {
  try {
    call();
  } catch (error) {
    const { name, code, message } = error as Error & { code: string };
    return { name, code, message };
  }
  throw new Error('Nothing was thrown.');
}

export function codeOf(call: () => unknown): string {
  const { name, code } = thrown(call);
  return name === 'MultiprocessingError' ? code : `${name} ${code}`;
}
