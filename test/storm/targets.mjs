// What the processes of the storm do.
import { writeSync } from 'node:fs';
import * as mp from 'multiproc';

export const twice = (x) => 2 * x;
export const ends = (code) => process.exit(code);
export const fails = () => {
  throw new Error('on purpose');
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
