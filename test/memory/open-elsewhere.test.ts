// share() and open() over channels that know nothing of multiproc, in processes that it has not started.
import { expect, test } from 'vitest';
import { runJson } from '../support/child.js';

const head = `
import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
import * as mp from 'multiproc';
const { native } = await import(new URL('native/load.js', import.meta.resolve('multiproc')));
const out = (value) => { console.log(JSON.stringify(value)) };
const codeOf = (f) => { try { f(); return 'opened' } catch (e) { return e.code } };
const settled = () => new Promise((r) => setTimeout(r, 20));
const here = fileURLToPath(import.meta.url);
const isChild = process.argv[2] === 'child';
/** This very file as a process of its own. */
const start = (options) => fork(here, ['child'], options);
const ask = async (child, message) => { child.send(message); return (await once(child, 'message'))[0] };
`;

test.each(['json', 'advanced'])('child_process.fork, serialization %s', async (serialization) => {
  const got = await runJson(`${head}
    if (isChild) {
      process.on('message', async ({ array, value, lock, list }) => {
        const [a, v, l, s] = [array, value, lock, list].map((handle) => mp.open(handle));
        a[0] = 7; v.add(5); s.set(0, 'child');
        const guard = a.lock.acquireSync();
        const more = new mp.RawArray('i', [1, 2, 3]);        // made here, opened there
        process.send({ locked: l.locked, same: mp.open(array).buffer === a.buffer, more: mp.share(more), pid: v.typecode });
        process.on('message', () => {});
      });
    } else {
      const child = start({ serialization: '${serialization}' });
      const [array, value, lock, list] = [new mp.Array('d', 10), new mp.Value('i', 1), new mp.Lock(), new mp.ShareableList(['parent'])];
      const guard = lock.acquireSync();
      const answer = await ask(child, { array: mp.share(array), value: mp.share(value), lock: mp.share(lock), list: mp.share(list) });
      const more = mp.open(answer.more);
      const got = [answer.locked, answer.same, array[0], value.value, list.get(0), [...more], array.lock.owner.pid === child.pid];
      const participants = native.census().participants;
      child.kill('SIGKILL'); await once(child, 'exit');
      const abandoned = array.lock.acquireSync();
      native.sweep();
      out([...got, participants, abandoned.abandoned, [...more], native.census().participants, native.census().objects]);
    }`);
  expect(got).toEqual([true, true, 7, 6, 'child', [1, 2, 3], true, 2, true, [1, 2, 3], 1, 5]);
});

test('cluster workers', async () => {
  const got = await runJson(`${head}
    const { default: cluster } = await import('node:cluster');
    if (cluster.isPrimary) {
      const array = new mp.Array('i', 3);
      const workers = [0, 1].map(() => cluster.fork());
      await Promise.all(workers.map(async (worker) => {
        await once(worker, 'message');
        worker.send(mp.share(array));
        await once(worker, 'message');
      }));
      workers.forEach((worker) => worker.kill());
      out([...array]);
    } else {
      process.on('message', (handle) => {
        const a = mp.open(handle);
        for (let i = 0; i < 1000; i++) { Atomics.add(a, 0, 1); const g = a.lock.acquireSync(); a[1]++; g.release() }
        process.send('done');
      });
      process.send('ready'); // a message that comes before there is a listener is lost
    }`);
  expect(got).toEqual([2000, 2000, 0]);
});

test('worker threads, and what a joined process starts with multiproc', async () => {
  const got = await runJson(`${head}
    if (isChild) {
      process.on('message', async ({ handle, target }) => {
        const a = mp.open(handle);
        const worker = new Worker("import('multiproc').then((mp) => { const w = require('node:worker_threads'); const a = mp.open(w.workerData); a[1] = 5; w.parentPort.postMessage(a.typecode) })", { eval: true, workerData: mp.share(a) });
        const [code] = await once(worker, 'message');
        const { items, array } = await mp.run(target, a);
        array[2] = 6;
        process.send([code, items]);
      });
    } else {
      const child = start();
      const array = new mp.Array('i', [1, 2, 3]);
      const target = { module: ${JSON.stringify(new URL('../fixtures/memory-tasks.mjs', import.meta.url).href)}, export: 'look' };
      const answer = await ask(child, { handle: mp.share(array), target });
      child.kill();
      out([answer, [...array]]);
    }`);
  expect(got).toEqual([['i', [1, 5, 3]], [1, 5, 6]]); // prettier-ignore
});

test('a sharer that is dead: by the one that made the memory, else a clear error', async () => {
  const got = await runJson(`${head}
    if (isChild) {
      process.on('message', (message) => {
        if (message.stay) return process.send(mp.share(mp.open(message.stay)));
        try { const a = mp.open(message); process.send([...a]) } catch (e) { process.send([e.code, e.message.replace(/\\d+/g, 'N')]) }
      });
    } else {
      const array = new mp.RawArray('i', [4, 2]);
      const [sharer, one, two] = [start(), start(), start()];
      const handle = await ask(sharer, { stay: mp.share(array) });   // the root's array, shared by a child
      sharer.kill('SIGKILL'); await once(sharer, 'exit');
      const got = [handle.at.length, await ask(one, handle)];
      got.push(await ask(two, { ...handle, at: [handle.at[0]] }));   // nobody but the dead
      one.kill(); two.kill();
      out(got);
    }`);
  expect(got).toEqual([
    2,
    [4, 2],
    [
      'ERR_MP_NOT_FOUND',
      'open(): this RawArray cannot be reached: nobody who could give its memory is alive here (pid N)',
    ],
  ]);
});

test('a process with shared objects of its own is told so; objects that are gone', async () => {
  const got = await runJson(`${head}
    if (isChild) {
      let own;
      process.on('message', (message) => {
        if (message === 'make') own = new mp.Lock();
        try { if (message !== 'make') mp.open(message); process.send('opened') } catch (e) { process.send([e.name, e.code, e.message]) }
      });
    } else {
      const array = new mp.RawArray('i', 2), handle = mp.share(array);
      const [one, two] = [start(), start()];
      await ask(one, 'make');
      const got = [await ask(one, handle)];
      array.close();
      got.push((await ask(two, handle)).slice(0, 2), (await ask(two, mp.share(new mp.Lock()))));
      one.kill(); two.kill();
      out(got);
    }`);
  expect(got[0].slice(0, 2)).toEqual(['MultiprocessingError', 'ERR_MP_HANDLE']);
  expect(got[0][2]).toContain('before anything else of multiproc');
  expect(got.slice(1)).toEqual([['ClosedError', 'ERR_MP_CLOSED'], 'opened']);
});

test('damaged handles are errors, in a process that has memory and in one that has none', async () => {
  const got = await runJson(`${head}
    import { openSync, writeFileSync } from 'node:fs';
    const bad = (good) => {
      const fd = openSync('/dev/null');
      const at = (place) => ({ ...good, at: [place] });
      return [
        ...[-1, 0.5, NaN, 2 ** 32 + good.slot, '1', null, undefined, 2 ** 20, {}].map((slot) => ({ ...good, slot })),
        ...[-1, 1.5, 2 ** 24, 'x', null].map((generation) => ({ ...good, generation })),
        ...['', 'xyz', '0'.repeat(17), 5, null, '-1', '0x1'].map((arena) => ({ ...good, arena })),
        ...['x', 5, [null], [{}], [{ pid: -1, fd: 1 }], [{ pid: 0, fd: 1 }], [{ pid: 1e20, fd: 1 }], [{ pid: 1, fd: -1 }],
            [{ pid: 1, fd: '../1' }], Array(9).fill(good.at[0])].map((at) => ({ ...good, at })),
      ];
    };
    if (isChild) {
      process.on('message', (good) => {
        const codes = new Set(bad(good).map((handle) => codeOf(() => mp.open(handle))));
        // What is there, but is no such memory: nothing is opened, nobody is harmed.
        const fd = openSync('/dev/null');
        const elsewhere = [{ pid: process.pid, fd }, { pid: process.pid, fd: 0 }, { pid: process.ppid, fd: 1 }, { pid: 2 ** 22, fd: 3 }, { pid: process.pid, fd: 2 ** 31 - 1 }]
          .map((place) => codeOf(() => mp.open({ ...good, at: [place] })));
        const other = codeOf(() => mp.open({ ...good, arena: '1234' }));  // it is another one by now
        const none = codeOf(() => mp.open({ ...good, at: undefined }));
        process.send([[...codes], [...new Set(elsewhere)], other, none, native.arenaInfo(), codeOf(() => mp.open(good))]);
      });
    } else {
      const array = new mp.RawArray('i', 2), good = mp.share(array);
      const codes = new Set(bad(good).map((handle) => codeOf(() => mp.open(handle))));
      const kinds = ['Lock', 'Value', 'RLock', 'ShareableList', 'constructor', '__proto__', 5].map((multiproc) => codeOf(() => mp.open({ ...good, multiproc })));
      const child = start({ serialization: 'advanced' });
      const answer = await ask(child, good);
      child.kill();
      out([[...codes], kinds, ...answer, codeOf(() => mp.open(good)), native.census().objects]);
    }`);
  const [handle, missing] = ['ERR_MP_HANDLE', 'ERR_MP_NOT_FOUND'];
  expect(got).toEqual([
    [handle], [handle, handle, handle, handle, handle, handle, 'ERR_MP_TYPE'],
    [handle], [missing], missing, missing, null, 'opened', 'opened', 1,
  ]); // prettier-ignore
});
