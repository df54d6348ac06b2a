// What an installed package is asked to do: count under a lock, in this process and in two more.
import { deepStrictEqual } from 'node:assert';
import { isMainProcess, Lock, run, Value } from 'multiproc';

const rounds = 2000;

export function work(counter, lock) {
  for (let i = 0; i < rounds; i++) {
    const guard = lock.acquireSync();
    counter.value += 1;
    guard.release();
  }
}

if (isMainProcess) {
  const counter = new Value('int32', 0);
  const lock = new Lock();
  work(counter, lock);
  (await lock.acquire()).release();
  counter.add(1);
  deepStrictEqual(counter.value, rounds + 1);
  console.log('one process counts');
  if (process.argv[2] === 'processes') {
    // By address: to find a function by itself Node parses numbers with libstdc++, which crashes in the borrowed one on musl.
    const address = { module: import.meta.url, export: 'work' };
    await Promise.all([run(address, counter, lock), run(address, counter, lock)]);
    deepStrictEqual(counter.value, 3 * rounds + 1);
    console.log('three processes count');
  }
}
