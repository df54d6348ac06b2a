/** What the processes of the tour do: this module is imported in each of them. */
import { readFileSync } from 'node:fs';
import type { Lock, RawValue } from '../index.js';
import { type Problem, reasonOf } from './walk.js';

export type Mode = 'unlocked' | 'locked' | 'atomic';

/** Everything the processes share. */
export interface Shared {
  /** The next file nobody has taken yet. */
  readonly next: RawValue<'i'>;
  readonly bytes: RawValue<'q'>;
  readonly words: RawValue<'i'>;
  readonly lock: Lock;
}

const blockBytes = 128;
const space = new Uint8Array(256);
for (const c of ' \t\n\r\f\v') space[c.charCodeAt(0)] = 1;

/** Takes files until none is left; adds each block's words to the shared totals in the given way. */
export function countFiles(mode: Mode, files: readonly string[], shared: Shared): Problem[] {
  const problems: Problem[] = [];
  for (let i = shared.next.add(1); i < files.length; i = shared.next.add(1)) {
    try {
      countBytes(readFileSync(files[i]!), mode, shared);
    } catch (error) {
      problems.push({ path: files[i]!, reason: reasonOf(error) });
    }
  }
  return problems;
}

/** A pool's task: a file's words and bytes, or why it cannot be read. */
export function countFile(path: string): { words: number; bytes: number; problem: Problem | null } {
  try {
    const content = readFileSync(path);
    return { words: wordsIn(content), bytes: content.length, problem: null };
  } catch (error) {
    return { words: 0, bytes: 0, problem: { path, reason: reasonOf(error) } };
  }
}

function wordsIn(content: Uint8Array): number {
  let words = 0;
  for (let i = 0, before = 1; i < content.length; i++) {
    const now = space[content[i]!]!;
    words += before & (now ^ 1);
    before = now;
  }
  return words;
}

function countBytes(content: Uint8Array, mode: Mode, shared: Shared): void {
  let before = 1;
  for (let start = 0; start < content.length; start += blockBytes) {
    const end = Math.min(start + blockBytes, content.length);
    let words = 0;
    for (let i = start; i < end; i++) {
      const now = space[content[i]!]!;
      words += before & (now ^ 1);
      before = now;
    }
    addBlock(words, mode, shared);
  }
  shared.bytes.add(content.length);
}

function addBlock(words: number, mode: Mode, { words: total, lock }: Shared): void {
  if (mode === 'atomic') {
    total.add(words);
  } else if (mode === 'unlocked') {
    total.value += words; // a read and a write: another process may write in between, and its update is lost
  } else {
    const guard = lock.acquireSync();
    total.value += words;
    guard.release();
  }
}

/** Takes the lock and never gives it back. */
export function holdForever(lock: Lock, holding: RawValue<'i'>): never {
  lock.acquireSync();
  holding.value = 1;
  for (;;);
}

/** Waits for the lock; says when it got it (monotonic nanoseconds) and whether it learned of the death. */
export function waitForLock(lock: Lock, waiting: RawValue<'i'>): { at: bigint; abandoned: boolean } {
  waiting.value = 1;
  const guard = lock.acquireSync();
  const at = process.hrtime.bigint();
  guard.release();
  return { at, abandoned: guard.abandoned };
}
