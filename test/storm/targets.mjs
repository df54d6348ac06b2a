// What the processes of the storm do.
import { getRandomValues, randomBytes, randomInt, randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import * as mp from 'multiproc';

export const twice = (x) => 2 * x;
export const ends = (code) => process.exit(code);
export const fails = () => {
  throw new Error('on purpose');
};
/** What no two processes may have in common. */
export const draws = (count) =>
  Array.from({ length: count }, () => [
    Math.random(),
    randomUUID(),
    globalThis.crypto.randomUUID(),
    randomInt(2 ** 47),
    randomBytes(8).toString('hex'),
    getRandomValues(new BigUint64Array(1))[0],
  ]).flat();
/** More than a pipe holds, then the end. */
export const writes = (bytes) => {
  process.stdout.write('x'.repeat(bytes));
  process.exit(3);
};
export const stays = () => {
  setInterval(() => {}, 1e6);
  return new Promise(() => {});
};
export const spins = () => {
  for (;;);
};
/** Starts two children, says who they are, and stays. */
export const family = () => {
  const target = (name) => ({ module: new URL(import.meta.url), export: name });
  const all = ['stays', 'spins'].map((name) =>
    new mp.Process({ target: target(name), stdio: 'ignore' }).start(),
  );
  writeSync(1, `${all.map((p) => p.pid).join(' ')}\n`);
  return stays();
};
