import { afterEach, expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { removeNames, sharedFiles, uniqueName } from '../support/names.js';

afterEach(removeNames);

const head = `
import { readdirSync, readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { SharedArray, SharedMemory, ShareableList, share, open } from 'multiproc';
const { native } = await import(new URL('native/load.js', import.meta.resolve('multiproc')));
const name = process.argv[2];
const codeOf = (f) => { try { return f() } catch (e) { return e.code } };
const out = (value) => console.log(JSON.stringify(value));
const usage = () => ({
  fds: readdirSync('/proc/self/fd').length,
  maps: readFileSync('/proc/self/maps', 'utf8').split('\\n').filter((line) => line.includes('/dev/shm')).length,
  allMaps: readFileSync('/proc/self/maps', 'utf8').split('\\n').length,
  rss: process.memoryUsage.rss(),
  external: process.memoryUsage().external,
});
`;

test('10,000 rounds of create, attach and close: no growth', async () => {
  const got = await runJson(
    `${head}
    const round = (i) => {
      const a = SharedArray.create(name, [64, 64], 'float64');
      const b = SharedArray.attach(name, { readOnly: i % 2 === 0 });
      a.data[5] = i;
      if (b.data[5] !== i) throw new Error('not the same');
      const m = new SharedMemory({ create: true, size: 5000 });
      const l = new ShareableList([i, 'x']);
      SharedArray.delete(name); m.unlink(); l.unlink();
      b.close(); a.close(); m.close(); l.close();
    };
    for (let i = 0; i < 3000; i++) { round(i); if (i % 100 === 0) await new Promise(setImmediate) }
    const before = usage();
    for (let i = 0; i < 10_000; i++) { round(i); if (i % 100 === 0) await new Promise(setImmediate) }
    const after = usage();
    out([after.fds - before.fds, before.maps, after.maps, after.allMaps - before.allMaps, after.rss - before.rss, native.segmentCensus(), after.external, after.external - before.external]);`,
    { args: [uniqueName()], timeout: 120_000 },
  );
  const [fds, mapsBefore, mapsAfter, allMaps, rss, census, external, growth] = got;
  expect([fds, mapsBefore, mapsAfter, census]).toEqual([0, 0, 0, { mappings: 0, buffers: 0 }]);
  expect(allMaps).toBeLessThan(2000); // V8's own pages come and go, in hundreds; 10,000 leaked segments would be more
  expect(rss).toBeLessThan(128 << 20); // 10,000 leaked segments would be 560 MiB
  expect(external).toBeGreaterThanOrEqual(0);
  expect(growth).toBeLessThan(64 << 20);
}, 150_000);

test('rounds without a turn of the event loop in between', async () => {
  const got = await runJson(
    `${head}
    for (let i = 0; i < 3000; i++) {
      const a = SharedArray.create(name, [10]);
      const b = SharedArray.attach(name);
      a.close(); b.close();
      const c = SharedArray.attach(name);       // the same inode again, perhaps at the same address
      c.data[0] = 1; c.close();
      SharedArray.delete(name);
    }
    for (let i = 0; i < 500 && native.segmentCensus().mappings > 0; i++) await new Promise((r) => setTimeout(r, 10));
    out(native.segmentCensus());`,
    { args: [uniqueName()], timeout: 60_000 },
  );
  expect(got).toEqual({ mappings: 0, buffers: 0 });
});

test('one mapping and one buffer for all handles of an environment; opened again and again while another one has it', async () => {
  const got = await runJson(
    `${head}
    const a = SharedArray.create(name, [100], 'uint8');
    const all = [];
    for (let i = 0; i < 100; i++) all.push(SharedArray.attach(name));
    const got = [native.segmentCensus(), new Set(all.map((x) => x.data.buffer)).size];
    const ro = SharedArray.attach(name, { readOnly: true });
    const m = new SharedMemory({ name: 'multiproc.array.' + name });       // the whole file: another offset
    got.push(native.segmentCensus(), m.size, m.buf[4096 + 3]);
    for (const x of all) x.close();
    a.data[3] = 7;
    got.push(m.buf[4096 + 3], ro.at(3));
    ro.close(); m.close(); a.close();
    got.push(native.segmentCensus());
    SharedArray.delete(name);
    out(got);`,
    { args: [uniqueName()] },
  );
  expect(got).toEqual([
    { mappings: 1, buffers: 1 }, 1, { mappings: 2, buffers: 3 }, 4196, 0, 7, 7, { mappings: 0, buffers: 0 },
  ]); // prettier-ignore
});

test("threads: one environment's close, end or termination does not disturb another's", async () => {
  const got = await runJson(
    `${head}
    const a = SharedArray.create(name, [1000], 'int32');
    const source = \`
      const { parentPort, workerData } = require('node:worker_threads');
      import('multiproc').then(({ SharedArray, open }) => {
        const b = open(workerData);
        for (let i = 0; i < 1000; i++) Atomics.add(b.data, 0, 1);
        parentPort.on('message', (what) => {
          if (what === 'close') { const view = b.data; b.close(); parentPort.postMessage(['closed', view.length]); }
          else if (what === 'read') parentPort.postMessage(['read', b.at(1)]);
          else if (what === 'loop') { b.data[2]++; parentPort.postMessage(['looping']); for (;;) b.data[2]++; }
          else process.exit(0);
        });
        parentPort.postMessage(['ready']);
      });\`;
    const start = () => new Worker(source, { eval: true, workerData: share(a) });
    const next = (w) => new Promise((resolve, reject) => { w.once('message', resolve); w.once('error', reject) });
    const ended = (w) => new Promise((resolve) => w.once('exit', resolve));
    const ask = (w, what) => { const answer = next(w); w.postMessage(what); return answer };
    const workers = [start(), start(), start(), start()];
    await Promise.all(workers.map(next));
    const got = [a.at(0), native.segmentCensus().mappings];
    got.push(await ask(workers[0], 'close'));
    a.data[1] = 5;
    got.push(await ask(workers[1], 'read'), a.at(1));
    await ask(workers[2], 'loop');
    await workers[2].terminate();                            // while it writes
    const end = ended(workers[0]); workers[0].postMessage('exit'); await end;
    got.push(await ask(workers[1], 'read'), a.at(2) > 0);
    a.close();                                               // the main thread's; workers go on
    got.push(await ask(workers[3], 'read'), native.segmentCensus());
    await Promise.all([workers[1].terminate(), workers[3].terminate()]);
    got.push(native.segmentCensus());
    SharedArray.delete(name);
    out(got);`,
    { args: [uniqueName()], timeout: 60_000 },
  );
  expect(got).toEqual([
    4000, 1, ['closed', 0], ['read', 5], 5, ['read', 5], true, ['read', 5], { mappings: 1, buffers: 0 }, { mappings: 0, buffers: 0 },
  ]); // prettier-ignore
});

test('a worker that ends while its creation runs in the background leaves nothing', async () => {
  const name = uniqueName();
  const got = await runJson(
    `${head}
    for (let i = 0; i < 10; i++) {
      const w = new Worker(\`
        import('multiproc').then(({ SharedArray }) => {
          SharedArray.createAsync('\${name}', [1 << 30], 'uint8');
          SharedArray.createAsync('\${name}', [1 << 30], 'uint8');
          require('node:worker_threads').parentPort.postMessage('running');
        });\`, { eval: true });
      await new Promise((resolve) => w.on('message', resolve));
      await w.terminate();
    }
    out([native.segmentCensus(), SharedArray.list().filter((x) => x.name === name)]);`,
    { args: [name], timeout: 60_000 },
  );
  expect(got).toEqual([{ mappings: 0, buffers: 0 }, []]);
  expect(sharedFiles(name)).toEqual([]);
});

test('handles that were dropped without close are given back when their buffers are collected', async () => {
  const got = await runJson(
    `${head}
    for (let i = 0; i < 200; i++) {
      const a = SharedArray.create(name + i, [1000]);
      SharedArray.attach(name + i).data[0] = 1;
      SharedArray.delete(name + i);
    }
    const kept = SharedArray.create(name, [10]).data;        // a view is enough to keep it
    SharedArray.delete(name);
    for (let i = 0; i < 50 && native.segmentCensus().mappings > 3; i++) { gc(); await new Promise((r) => setTimeout(r, 10)) }
    kept[0] = 5;
    out([native.segmentCensus().mappings <= 3, kept[0]]);    // a stack may still hold the last ones`,
    { args: [uniqueName()], execArgv: ['--expose-gc'] },
  );
  expect(got).toEqual([true, 5]);
});

test('bytes that were moved out of our buffer stay mapped until they are collected', async ({ skip }) => {
  if (!('transfer' in ArrayBuffer.prototype)) skip('ArrayBuffer.prototype.transfer came with Node 22');
  const got = await runJson(
    `${head}
    const a = SharedArray.create(name, [10], 'uint8');
    a.data[0] = 9;
    let moved;
    try { moved = new Uint8Array(a.data.buffer.transfer()) } catch { moved = [9] }   // refused: fine as well
    a.close();
    const again = SharedArray.attach(name);
    SharedArray.delete(name);
    out([moved[0], again.at(0)]);`,
    { args: [uniqueName()] },
  );
  expect(got).toEqual([9, 9]);
});
