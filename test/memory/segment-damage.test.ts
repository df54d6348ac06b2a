import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { SharedArray } from 'multiproc';
import { runJson, runScript, scriptFile } from '../support/child.js';
import { canMount, inNamespace } from '../support/namespace.js';
import { codeOf, removeNames, thrown, uniqueName } from '../support/names.js';

afterEach(removeNames);

const head = `
import { truncateSync, writeFileSync, readFileSync, openSync, writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { SharedArray, SharedMemory, ShareableList } from 'multiproc';
const name = process.argv[2];
const codeOf = (f) => { try { return f() } catch (e) { return e.code } };
const out = (value) => console.log(JSON.stringify(value));
`;

test('shortened by another process while it is mapped: zeros, damaged, ERR_MP_DAMAGED; no crash', async () => {
  const name = uniqueName();
  const file = `/dev/shm/multiproc.array.${name}`;
  const truncate = scriptFile(
    `import { truncateSync } from 'node:fs'; truncateSync(process.argv[2], Number(process.argv[3]));`,
  );
  const got = await runJson(
    `${head}
    import { execFileSync } from 'node:child_process';
    const a = SharedArray.create(name, [1 << 20], 'uint8');
    a.data.fill(9);
    execFileSync(process.execPath, [${JSON.stringify(truncate)}, ${JSON.stringify(file)}, '8192']);
    const got = [a.damaged, a.data[0], a.data[4095]];     // what is still there
    got.push(a.data[4096], a.data[(1 << 20) - 1], a.damaged);
    got.push(codeOf(() => a.at(0)), codeOf(() => a.subarray()), codeOf(() => a.msync()), codeOf(() => a.set(1, 0)));
    a.data.fill(7);                                       // a bulk write over everything that is gone
    got.push(a.data.reduce((x, y) => x + y) === 7 * (1 << 20));
    got.push(codeOf(() => SharedArray.attach(name)), codeOf(() => SharedArray.create(name, [1 << 20], 'uint8', { ifExists: 'attach' })));
    const b = SharedArray.create(name, [1 << 20], 'uint8', { ifExists: 'replace' });
    got.push(b.at(5));
    a.close(); a.close(); b.close(); SharedArray.delete(name);
    out(got);`,
    { args: [name] },
  );
  const gone = 'ERR_MP_DAMAGED';
  expect(got).toEqual([false, 9, 9, 0, 0, true, gone, gone, gone, gone, true, gone, gone, 0]);
});

test('shortened to nothing, under at() itself, in a worker, in a list, in a block', async () => {
  const name = uniqueName();
  const got = await runJson(
    `${head}
    const a = SharedArray.create(name, [10]);
    const l = new ShareableList([1, 'x'], { name });
    const m = new SharedMemory({ name, create: true, size: 100_000 });
    const ro = SharedArray.attach(name, { readOnly: true });
    for (const file of ['multiproc.array.' + name, 'multiproc.list.' + name, name]) truncateSync('/dev/shm/' + file, 0);
    const got = [codeOf(() => a.at(3)), codeOf(() => ro.at(3)), codeOf(() => l.get(0)), l.damaged, codeOf(() => l.indexOf(1))];
    got.push(m.damaged, m.buf[99_999], m.damaged);
    got.push(codeOf(() => SharedArray.attach(name)), codeOf(() => new ShareableList(null, { name })), codeOf(() => new SharedMemory({ name })));
    const w = new Worker(\`
      const { parentPort } = require('node:worker_threads');
      import('multiproc').then(({ SharedMemory }) => {
        const m = new SharedMemory({ name: '\${name}x', create: true, size: 10 });
        require('node:fs').truncateSync('/dev/shm/\${name}x', 0);
        m.buf.fill(1);
        parentPort.postMessage([m.buf[9], m.damaged]);
        m.unlink();
      });\`, { eval: true });
    got.push(await new Promise((resolve, reject) => { w.on('message', resolve); w.on('error', reject) }));
    m.unlink(); m.close(); l.unlink(); l.close(); a.close(); ro.close(); SharedArray.delete(name);
    out(got);`,
    { args: [name] },
  );
  const gone = 'ERR_MP_DAMAGED';
  expect(got).toEqual([gone, gone, gone, true, gone, false, 0, true, gone, gone, gone, [1, true]]);
});

test('a fault elsewhere still ends the process as it would have', async () => {
  const name = uniqueName();
  const end = await runScript(
    `${head}
    const a = SharedArray.create(name, [10]);
    SharedArray.attach(name, { readOnly: true });
    SharedArray.delete(name);
    process.kill(process.pid, process.argv[3]);
    setInterval(() => {}, 1000);`,
    { args: [name, 'SIGBUS'] },
  );
  expect(end.signal).toBe('SIGBUS');
  const wasm = await runJson(
    // V8 turns these faults into errors with a SIGSEGV handler of its own: ours is in front of it
    `${head}
    SharedArray.create(name, [10]).close();
    const ro = SharedArray.attach(name, { readOnly: true });
    SharedArray.delete(name);
    const bytes = new Uint8Array([0,97,115,109,1,0,0,0,1,6,1,96,1,127,1,127,3,2,1,0,5,3,1,0,1,7,5,1,1,102,0,0,10,9,1,7,0,32,0,40,2,0,11]);
    const { f } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
    const names = [];
    for (let i = 0; i < 1000; i++) try { f(1 << 20) } catch (e) { names.push(e.constructor.name) }
    ro.data[0] = 1;
    out([names.length, names[0], codeOf(() => ro.at(0))]);`,
    { args: [name] },
  );
  expect(wasm).toEqual([1000, 'RuntimeError', 'ERR_MP_READ_ONLY']);
});

test('with reserve: false, a full file system later is damage, not a crash', ({ skip }) => {
  if (!canMount()) skip('mount namespaces are not permitted here');
  const script = scriptFile(
    `${head}
    const a = SharedArray.create('sparse', [16 << 20], 'uint8', { reserve: false });
    a.data.fill(1);
    out([a.damaged, codeOf(() => a.at(0))]);`,
  );
  const got = inNamespace(`mount -t tmpfs -o size=8m tmpfs /dev/shm && ${process.execPath} ${script} x`);
  expect(JSON.parse(got)).toEqual([true, 'ERR_MP_DAMAGED']);
});

test('header: every byte flipped is an error or makes no difference', () => {
  const name = uniqueName();
  const file = `/dev/shm/multiproc.array.${name}`;
  SharedArray.create(name, [3, 5], 'int16').close();
  const good = readFileSync(file);
  const codes = new Map<string, number>();
  for (let at = 0; at < 4096; at++) {
    for (const bits of at < 256 ? [1, 0x80, 0xff] : [0xff]) {
      const bad = Buffer.from(good);
      bad[at]! ^= bits;
      writeFileSync(file, bad);
      let code = 'fine';
      try {
        const a = SharedArray.attach(name);
        expect([a.shape, a.dtype]).toEqual([[3, 5], 'int16']);
        a.close();
      } catch (error) {
        code = (error as { code: string }).code;
      }
      codes.set(code, (codes.get(code) ?? 0) + 1);
      if (code === 'fine') expect(at).toBeGreaterThanOrEqual(240);
    }
  }
  expect([...codes.keys()].sort()).toEqual(['ERR_MP_DAMAGED', 'ERR_MP_LAYOUT_VERSION', 'fine']);
  expect(SharedArray.list().map((x) => x.name)).toContain(name); // the last flip was behind the header
  SharedArray.delete(name);
});

test('header: what each kind of damage is called', () => {
  const name = uniqueName();
  const file = `/dev/shm/multiproc.array.${name}`;
  const a = SharedArray.create(name, [1000], 'uint8');
  const good = readFileSync(file);
  a.close();
  const after = (change: (bytes: Buffer) => Buffer): string => {
    writeFileSync(file, change(Buffer.from(good)));
    const codes = [
      thrown(() => SharedArray.attach(name)),
      thrown(() => SharedArray.create(name, [1000], 'uint8', { ifExists: 'attach' })),
    ];
    expect(codes[0]!.code).toBe(codes[1]!.code);
    expect(SharedArray.list().map((x) => x.name)).not.toContain(name);
    return `${codes[0]!.code} ${codes[0]!.message}`;
  };
  expect(after((b) => b.subarray(0, 0))).toMatch(/DAMAGED.*not a SharedArray/);
  expect(after((b) => b.subarray(0, 100))).toMatch(/DAMAGED.*not a SharedArray/);
  expect(after((b) => b.subarray(0, 4096))).toMatch(/DAMAGED.*shorter than it says/);
  expect(after((b) => b.subarray(0, 5095))).toMatch(/DAMAGED.*shorter than it says/);
  expect(after((b) => b.fill(0))).toMatch(/DAMAGED.*not a SharedArray/);
  expect(after((b) => (b.writeUInt32LE(77, 4), b))).toMatch(/LAYOUT_VERSION.*\(77\)/);
  expect(after((b) => (b.writeUInt32LE(3, 8), b))).toMatch(/DAMAGED.*another object of multiproc/);
  expect(after((b) => (b.writeUInt32LE(9, 72), b))).toMatch(/DAMAGED.*overwrote its header/);
  writeFileSync(file, Buffer.concat([good, good])); // longer is no harm
  expect(SharedArray.attach(name).size).toBe(1000);
  SharedArray.delete(name);
});

test('never finished: of a dead creator it is replaced, of a living one an error', () => {
  const name = uniqueName();
  const file = `/dev/shm/multiproc.array.${name}`;
  const a = SharedArray.create(name, [10], 'uint8');
  a.close();
  const unready = readFileSync(file);
  unready.writeUInt32LE(0, 12);
  writeFileSync(file, unready); // ours: this process lives
  expect(thrown(() => SharedArray.attach(name)).message).toMatch(/still making it/);
  expect(codeOf(() => SharedArray.create(name, [10], 'uint8'))).toBe('ERR_MP_EXISTS');
  expect(codeOf(() => SharedArray.create(name, [10], 'uint8', { ifExists: 'attach' }))).toBe(
    'ERR_MP_DAMAGED',
  );
  unready.writeBigUInt64LE(1n, 64 + 32); // a process with this pid that started at another time: gone
  for (const ifExists of ['error', 'attach', 'replace'] as const) {
    writeFileSync(file, unready);
    expect(thrown(() => SharedArray.attach(name)).message).toMatch(/creator died/);
    const b = SharedArray.create(name, [10], 'uint8', { ifExists });
    expect(b.at(9)).toBe(0);
    b.close();
    SharedArray.attach(name).close();
  }
  SharedArray.delete(name);
});

test('fuzz: 3,000 random files, as arrays, lists and blocks, are errors or fine', async () => {
  const name = uniqueName();
  const got = await runJson(
    `${head}
    let seed = 12345;
    const random = (n) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % n;
    const files = ['multiproc.array.' + name, 'multiproc.list.' + name];
    const a = SharedArray.create(name, [7, 3], 'float32'); const goodArray = readFileSync('/dev/shm/' + files[0]); a.close();
    const l = new ShareableList(['abc', 1, null, 5n], { name }); const goodList = readFileSync('/dev/shm/' + files[1]); l.close();
    const codes = {};
    for (let round = 0; round < 3000; round++) {
      const which = round % 2;
      let bytes = Buffer.from(which ? goodList : goodArray);
      const changes = 1 + random(6);
      for (let i = 0; i < changes; i++) {
        const at = random(3) ? 4096 + random(bytes.length - 4096) : random(256);
        const kind = random(4);
        if (kind === 0) bytes[at] = random(256);
        else if (kind === 1 && at + 4 <= bytes.length) bytes.writeUInt32LE(0xffffffff - random(9), at);
        else if (kind === 2) bytes = Buffer.concat([bytes.subarray(0, at), Buffer.alloc(random(9000), random(256))]);
        else if (at + 4 <= bytes.length) bytes.writeUInt32LE(random(64), at);
        if (bytes.length <= 4096) break;
      }
      if (random(20) === 0) bytes = bytes.subarray(0, random(bytes.length + 1));
      writeFileSync('/dev/shm/' + files[which], bytes);
      let code = 'fine';
      try {
        if (which) { const x = new ShareableList(null, { name }); try { [...x]; x.set(0, 'y'); x.count(1); } finally { x.close() } }
        else { const x = SharedArray.attach(name); try { x.at(6, 2); x.subarray(3); x.data.fill(1) } finally { x.close() } }
      } catch (e) { code = e.code ?? e.stack }
      codes[code] = (codes[code] ?? 0) + 1;
    }
    SharedArray.delete(name); ShareableList.delete(name);
    const { native } = await import(new URL('native/load.js', import.meta.resolve('multiproc')));
    out([Object.keys(codes).sort(), native.segmentCensus()]);`,
    { args: [name] },
  );
  expect(got[0].every((code: string) => /^(fine|ERR_MP_(DAMAGED|LAYOUT_VERSION|RANGE))$/.test(code))).toBe(
    true,
  );
  expect(got[0]).toContain('fine');
  expect(got[1]).toEqual({ mappings: 0, buffers: 0 });
});

test('a list whose bytes change at random under its reader: wrong values or errors, never a crash', async () => {
  const name = uniqueName();
  const got = await runJson(
    `${head}
    const list = new ShareableList(['text', 1, 2n, new Uint8Array(5), null, true], { name, capacity: 64 });
    const w = new Worker(\`
      const { workerData, parentPort } = require('node:worker_threads');
      const fs = require('node:fs');
      const fd = fs.openSync('/dev/shm/multiproc.list.' + workerData, 'r+');
      const size = fs.fstatSync(fd).size;
      for (let i = 0; i < 20000; i++) {
        const at = 4096 + Math.floor(Math.random() * (size - 4096 - 8));
        fs.writeSync(fd, Buffer.from([Math.random() * 256, Math.random() * 8, 0, 255]), 0, 1 + i % 4, at);
      }
      parentPort.postMessage('done');\`, { eval: true, workerData: name });
    let running = true;
    w.on('message', () => (running = false));
    const codes = new Set();
    while (running) {
      for (let i = 0; i < 200; i++) try { list.get(i % 6); list.set(i % 6, i % 2 ? i : 'abc') } catch (e) { codes.add(e.code ?? e.stack) }
      await new Promise(setImmediate);
    }
    list.unlink(); list.close();
    out([...codes]);`,
    { args: [name] },
  );
  expect(got.filter((code: string) => code !== 'ERR_MP_DAMAGED')).toEqual([]);
});
