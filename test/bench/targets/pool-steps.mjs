// Takes a pool through its life, a step for each line of its input, so that another program may look at its memory between
// them: node pool-steps.mjs SETTING. Answers with the milliseconds that the step took.
import { argv, stdin } from 'node:process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { loadPackage, open } from './pools.mjs';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');

const setting = JSON.parse(argv[2]);
let pool;
const steps = {
  async load() {
    await loadPackage(setting);
  },
  async open() {
    pool = await open(setting);
  },
  /** So many tasks at once. */
  async burst(task, count, x) {
    await Promise.all(Array.from({ length: count }, () => pool.run(task, x)));
  },
  /** Nothing to do: what a program gives back when it has had time. */
  async rest(ms) {
    gc();
    await sleep(ms);
    gc();
  },
  async end() {
    await pool.end();
  },
};

for await (const line of createInterface({ input: stdin })) {
  const [step, ...args] = JSON.parse(line);
  const start = performance.now();
  await steps[step](...args);
  console.log(performance.now() - start);
}
process.exit();
