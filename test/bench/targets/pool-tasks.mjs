// What pools are asked to run. Each takes one argument, as some of them allow no more.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';

export const nothing = () => undefined;
export const echo = (x) => x;
export const increment = (n) => n + 1;
export const incrementAll = (list) => list.map(increment);

/** The hash of a file. */
export const hash = (file) => createHash('sha256').update(readFileSync(file)).digest('hex');

/** Who has run it, after so many milliseconds. */
export async function hold(ms) {
  await sleep(ms);
  return `${process.pid}:${threadId}`;
}

/** A little work: sorts so many numbers, and returns some of them. */
export function sort(count) {
  const numbers = new Float64Array(count);
  let seed = count;
  for (let i = 0; i < count; i++) numbers[i] = seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  numbers.sort();
  return [numbers[0], numbers[count >> 1], numbers[count - 1]];
}
