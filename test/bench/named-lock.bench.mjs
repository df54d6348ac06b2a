// What does a lock with a name cost, beside what programs use today to lock each other out?
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { Lock } from 'multiproc';
import lockfile from 'proper-lockfile';
import { interleave } from './support.mjs';

function perPair(count, pair) {
  const start = process.hrtime.bigint();
  for (let i = 0; i < count; i++) pair();
  return Number(process.hrtime.bigint() - start) / 1000 / count;
}

export async function bench({ smoke }) {
  const [rounds, count] = smoke ? [1, 10] : [7, 1000];
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-lock-'));
  const file = path.join(folder, 'file');
  const fd = openSync(file, 'w');
  const name = `bench-${process.pid}`;
  const lock = new Lock({ name });
  Lock.delete(name); // it stays as long as it is open
  let flockSync; // of fs-ext, if it is there: it has to be compiled
  try {
    ({ flockSync } = createRequire(import.meta.url)('fs-ext'));
  } catch {
    console.log('named-lock: no fs-ext here, so no flock()');
  }
  const m = await interleave(rounds, {
    ours: () => perPair(100 * count, () => lock.acquireSync().release()),
    lockfile: () =>
      perPair(count, () => {
        const unlock = lockfile.lockSync(file);
        unlock();
      }),
    ...(flockSync && {
      flock: () =>
        perPair(count, () => {
          flockSync(fd, 'ex');
          flockSync(fd, 'un');
        }),
    }),
  });
  closeSync(fd);
  rmSync(folder, { recursive: true });
  lock.close();
  return {
    title: 'a lock between programs',
    rows: [
      {
        what: 'new Lock({ name }): acquireSync + release',
        unit: 'µs',
        ours: m.ours,
        goal: '≥ 100x proper-lockfile',
        peers: {
          'proper-lockfile lockSync + unlock': m.lockfile,
          ...(flockSync && { 'fs-ext flockSync ex + un': m.flock }),
        },
      },
    ],
  };
}
