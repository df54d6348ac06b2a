import { expect, test } from 'vitest';
import { runJson } from '../support/child.js';

test('the addon stays when the last thread that has it ends: its signal handlers do', async () => {
  const got = await runJson(`
    import { readFileSync } from 'node:fs';
    import { Worker } from 'node:worker_threads';
    const ends = new Worker('import("multiproc").then((mp) => new mp.Lock().tryAcquire())', { eval: true });
    await new Promise((resolve, reject) => ends.on('exit', resolve).on('error', reject));
    console.log(JSON.stringify(/multiproc[^/]*\\.node$/m.test(readFileSync('/proc/self/maps', 'latin1'))));`);
  expect(got).toBe(true);
});
