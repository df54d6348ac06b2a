// How long arrays live, who frees them, and what they cost meanwhile.
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { fixtures, runJson, runScript, scriptFile } from '../support/child.js';
import { canMount, inNamespace } from '../support/namespace.js';

const head = `
import { readdirSync, readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import * as mp from 'multiproc';
import * as tasks from '${new URL('memory-tasks.mjs', fixtures).href}';
const { native } = await import(new URL('native/load.js', import.meta.resolve('multiproc')));
const out = (value) => console.log(JSON.stringify(value));
const codeOf = (f) => { try { return f() } catch (e) { return e.code } };
const fds = () => readdirSync('/proc/self/fd').length;
const settled = () => new Promise((r) => setTimeout(r, 20));
const eventually = async (holds) => { for (let i = 0; i < 500 && !holds(); i++) { native.sweep(); await settled() } };
`;

test('10,000 rounds of create, attach and close: no growth', async () => {
  const got = await runJson(
    `${head}
    const round = (i) => {
      const a = new mp.Array('d', 1 + (i % 50) * 100), r = new mp.RawArray('B', 20_000);
      const b = mp.open(mp.share(a));
      if (a.some((x) => x !== 0) || r[0] !== 0 || r[19_999] !== 0) throw new Error('not zero');
      a.fill(i); r.fill(1);
      if (b[0] !== i) throw new Error('not the same');
      a.lock.acquireSync().release();
      const l = new mp.ShareableList([i, 'x']);
      b.close(); a.close(); r.close(); l.close();
    };
    for (let i = 0; i < 3000; i++) { round(i); if (i % 100 === 0) await new Promise(setImmediate) }
    const before = [fds(), native.census(), process.memoryUsage.rss(), process.memoryUsage().external];
    for (let i = 0; i < 10_000; i++) { round(i); if (i % 100 === 0) await new Promise(setImmediate) }
    const after = [fds(), native.census(), process.memoryUsage.rss()];
    for (let i = 0; i < 3; i++) { gc(); await settled() }
    out([after[0] - before[0], before[1], after[1], after[2] - before[2], process.memoryUsage().external - before[3]]);`,
    { timeout: 120_000, execArgv: ['--expose-gc'] },
  );
  const [descriptors, before, after, rss, external] = got;
  expect(descriptors).toBe(0);
  expect(after).toEqual(before);
  expect([after.objects, after.slotsReserved]).toEqual([0, 1024]);
  expect(after.heapUsed).toBeLessThan(1 << 20);
  expect(rss).toBeLessThan(32 << 20);
  expect(external).toBeLessThan(16 << 20);
}, 150_000);

test('without a turn of the event loop: the same address again and again', async () => {
  const got = await runJson(`${head}
    for (let i = 0; i < 3000; i++) {
      const a = new mp.RawArray('i', 10), b = mp.open(mp.share(a));
      a.close(); a[0] = 1; b.close();
    }
    await eventually(() => native.census().objects === 0 && native.census().spares === 1);
    const { objects, spares } = native.census();
    out([objects, spares]);`);
  expect(got).toEqual([0, 1]);
});

test('a thousand arrays cost no descriptor, here and in a child', async () => {
  const got = await runJson(`${head}
    new mp.Lock().close();
    const before = fds();
    const arrays = Array.from({ length: 1000 }, (_, i) => new mp.RawArray('i', [i]));
    const more = fds() - before;
    out([more, (await mp.run(tasks.look, arrays[7])).items]);`);
  expect(got).toEqual([0, [7]]);
});

test('memory is exactly what the bytes need, and goes back when it is much', async () => {
  const got = await runJson(`${head}
    const fd = (new mp.Lock().close(), native.arenaInfo().fd);
    const { fstatSync } = await import('node:fs');
    const blocks = () => fstatSync(fd).blocks * 512;
    const before = blocks(), got = [];
    const big = new mp.RawArray('B', (40 << 20) + 1);
    got.push(blocks() - before);
    big.fill(1); big.close();
    got.push(blocks() - before);
    const many = Array.from({ length: 20 }, () => new mp.RawArray('B', 8 << 20));
    for (const a of many) { a.fill(1); a.close() }
    got.push(blocks() - before, native.census().spares);
    const again = new mp.RawArray('B', 8 << 20);
    got.push(again.every((x) => x === 0));
    out(got);`);
  expect(got).toEqual([(40 << 20) + 4096, 0, 64 << 20, 21, true]);
});

test('two processes and two threads edit one array', async () => {
  const got = await runJson(
    `${head}
    const a = new mp.Array('i', 2);
    const source = \`
      const { parentPort, workerData } = require('node:worker_threads');
      Promise.all([import('multiproc'), import('${new URL('memory-tasks.mjs', fixtures).href}')]).then(([mp, tasks]) => {
        const b = mp.open(workerData);
        tasks.addTo(b, 3000); b.close();
        parentPort.postMessage(b.length);
      });\`;
    const thread = () => new Promise((resolve, reject) => {
      const w = new Worker(source, { eval: true, workerData: mp.share(a) });
      w.on('message', resolve); w.on('error', reject);
    });
    const done = await Promise.all([mp.run(tasks.addTo, a, 3000), mp.run(tasks.addTo, a, 3000), thread(), thread()]);
    out([done, [...a]]);`,
    { timeout: 60_000 },
  );
  expect(got).toEqual([[2, 2, 0, 0], [12_000, 12_000]]); // prettier-ignore
});

test("one environment's close, end or termination does not disturb another's", async () => {
  const got = await runJson(
    `${head}
    const a = new mp.RawArray('i', 100);
    const source = \`
      const { parentPort, workerData } = require('node:worker_threads');
      import('multiproc').then(({ open }) => {
        const b = open(workerData);
        parentPort.on('message', (what) => {
          if (what === 'close') { b.close(); parentPort.postMessage(b.length) }
          else if (what === 'loop') { parentPort.postMessage('looping'); for (;;) b[2]++ }
          else parentPort.postMessage(b[1]);
        });
        parentPort.postMessage('ready');
      });\`;
    const ask = (w, what) => new Promise((resolve, reject) => {
      w.once('message', resolve); w.once('error', reject); if (what) w.postMessage(what);
    });
    const workers = [0, 1, 2].map(() => new Worker(source, { eval: true, workerData: mp.share(a) }));
    await Promise.all(workers.map((w) => ask(w)));
    a[1] = 5;
    const got = [await ask(workers[0], 'close'), await ask(workers[1], 'read')];
    await ask(workers[2], 'loop');
    await workers[2].terminate();
    a.close();
    got.push(await ask(workers[1], 'read'), native.census().objects);
    await Promise.all(workers.map((w) => w.terminate()));
    out([...got, native.census().objects, native.census().participants]);`,
    { timeout: 60_000 },
  );
  expect(got).toEqual([0, 5, 5, 1, 0, 1]);
});

test('killed holders give back what they held; what others hold stays', async () => {
  const got = await runJson(
    `${head}
    const mine = new mp.RawArray('i', [1, 2, 3]);
    const p = new mp.Process(tasks.holdMany, mine, 50, 100_000).start();
    while (native.census().objects < 51) await settled();
    const during = native.census().objects;
    p.kill(); await p.join();
    await eventually(() => native.census().objects === 1);
    const { objects, spares, heapWarm } = native.census();
    out([during, objects, spares, heapWarm <= 64 << 20, [...mine]]);`,
    { timeout: 60_000 },
  );
  expect(got).toEqual([51, 1, 50, true, [1, 2, 3]]);
});

test('a result keeps arrays whose maker is dead; a closed handle does not end what travels', async () => {
  const got = await runJson(
    `${head}
    const p = new mp.Process(tasks.makeArrays, 5).start();
    p.joinSync();
    const arrays = await p.result();
    for (let i = 0; i < 50; i++) new mp.RawArray('i', 2).close();
    const value = new mp.RawArray('i', [42]);
    const q = new mp.Process(tasks.look, value).start();
    value.close();
    const fillers = Array.from({ length: 50 }, () => new mp.RawArray('i', [7]));
    const { items, array } = await q.result();
    out([arrays.map((a) => [...a]), items, [...array], fillers.length]);`,
    { timeout: 60_000 },
  );
  expect(got).toEqual([[[0, 0], [1, 1], [2, 2], [3, 3], [4, 4]], [42], [42], 50]); // prettier-ignore
});

test('arrays that were dropped without close go when they are collected; a view keeps them', async () => {
  const got = await runJson(
    `${head}
    for (let i = 0; i < 200; i++) new mp.Array('i', 1000)[0] = 1;
    const kept = new mp.Array('i', [9]).raw;
    for (let i = 0; i < 100 && native.census().objects > 4; i++) { gc(); await settled() }
    out([native.census().objects <= 4, kept[0]]);`,
    { execArgv: ['--expose-gc'] },
  );
  expect(got).toEqual([true, 9]);
});

test('bytes that were moved out of our buffer are not used for anything else', async () => {
  const got = await runJson(`${head}
    const a = new mp.RawArray('i', [5]);
    let moved = null;
    try { moved = new Int32Array('transfer' in ArrayBuffer.prototype ? a.buffer.transfer() : structuredClone(a.buffer, { transfer: [a.buffer] })) } catch {}
    a.close();
    const b = new mp.RawArray('i', [6]);
    out([moved === null || moved[0] === 5, b[0]]);`);
  expect(got).toEqual([true, 6]);
});

test('more memory than there is: an error at creation, and nothing is left', async () => {
  const got = await runJson(
    `${head}
    const { Reference } = await import(new URL('memory/arena.js', import.meta.resolve('multiproc')));
    new mp.RawArray('B', 9_000_000).close();                 // a warm spare, to be trimmed
    const got = [native.census().heapWarm];
    for (const bytes of [2 ** 40, 2 ** 43]) {                // no buffer of this Node.js may be so large
      try { Reference.createBlock(native.layout.kindArray, 1, bytes, 'new Array()') } catch (e) { got.push(e.name, e.code, e.errno, e.message.slice(0, 35)) }
    }
    const { objects, heapWarm } = native.census();
    out([...got, objects, heapWarm, new mp.RawArray('i', [1])[0]]);`,
  );
  const failure = ['MultiprocessingError', 'ERR_MP_MEMORY', 'ENOMEM'];
  expect(got).toEqual([
    9_003_008, ...failure, 'new Array(): 1099511627776 bytes of', ...failure, 'new Array(): 8796093022208 bytes of', 0, 0, 1,
  ]); // prettier-ignore
});

test("more than the control group allows: an error at creation, not the kernel's killer later", ({
  skip,
}) => {
  if (!canMount()) skip('mount namespaces are not permitted here');
  const script = scriptFile(`${head}
    out([codeOf(() => new mp.RawArray('B', 512 << 20)), new mp.RawArray('B', 1 << 20).length, native.census().objects]);`);
  // What a limited group's files say, seen by this script only: nobody is moved to another group.
  const group = '/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)';
  const limit = `mkdir -p ${group} && echo ${128 << 20} > ${group}/memory.max && echo 0 > ${group}/memory.current`;
  const mounted = `mount -t tmpfs tmpfs /sys/fs/cgroup && ${limit}`;
  const got = inNamespace(`${mounted} && ${process.execPath} ${script}`);
  expect(JSON.parse(got)).toEqual(['ERR_MP_MEMORY', 1 << 20, 1]);
});

test.each([
  ['ulimit -f 2000000', 'files of 2 GB at most'],
  ['ulimit -v 5000000', 'addresses for 5 GB at most'],
])('%s: %s', (limit) => {
  const script = scriptFile(`${head}
    const a = new mp.Array('d', [1, 2]), big = new mp.RawArray('B', 100 << 20);
    big[big.length - 1] = 7;
    const b = mp.open(mp.share(big));
    out([...a, b.at(-1), codeOf(() => new mp.RawArray('B', 4e9))]);
    a.close(); big.close(); b.close();`);
  const node = `exec ${process.execPath} --no-warnings --max-old-space-size=200 ${script}`;
  const got = execFileSync('bash', ['-c', `${limit}; ${node}`], { encoding: 'utf8' });
  expect(JSON.parse(got)).toEqual([1, 2, 7, 'ERR_MP_MEMORY']);
});

test('everybody killed at once: nothing is left', async () => {
  const end = await runScript(
    `${head}
    const p = new mp.Process(tasks.holdMany, new mp.RawArray('i', 1), 3, 100_000).start();
    while (native.census().objects < 4) await settled();
    new mp.ShareableList(['a']);
    p.kill();
    process.kill(process.pid, 'SIGKILL');`,
  );
  expect(end.signal).toBe('SIGKILL'); // the whole run's leak check looks at the rest
});
