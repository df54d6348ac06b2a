// The memory of a named lock, spoilt by somebody else: errors, never a crash or a wait without end.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { Lock, SharedArray } from 'multiproc';
import { runJson } from '../support/child.js';
import { removeNames, thrown, uniqueName } from '../support/names.js';

afterEach(removeNames);

const head = `
import { truncateSync, openSync, readSync, writeSync, closeSync, writeFileSync, readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { Lock } from 'multiproc';
const name = process.argv[2], file = '/dev/shm/multiproc.lock.' + name;
const codeOf = (f) => { try { return f() ?? 'none' } catch (e) { return e.code ?? e.stack } };
const rejected = (p) => p.then(() => 'fine', (e) => e.code ?? e.stack);
const out = (value) => console.log(JSON.stringify(value));
/** The file is sparse: its beginning. */
const head = (size) => { const fd = openSync(file), b = Buffer.alloc(size); readSync(fd, b, 0, size, 0); closeSync(fd); return b };
`;

test('shortened while it is open, held, waited for: ERR_MP_DAMAGED', async () => {
  for (const size of [0, 4096, 8192]) {
    const got = await runJson(
      `${head}
      const lock = new Lock({ name }), again = new Lock({ name });
      const guard = lock.acquireSync();
      const waits = [lock.acquire(), again.acquire()].map(rejected);
      await new Promise((resolve) => setTimeout(resolve, 30));
      truncateSync(file, ${size});
      guard.release();
      const got = await Promise.all(waits);
      got.push(codeOf(() => lock.acquireSync(1000)), codeOf(() => lock.tryAcquire()), await rejected(again.acquire()));
      got.push(typeof lock.locked, codeOf(() => new Lock({ name: name })));
      lock.close(); again.close();
      Lock.delete(name);
      const fresh = new Lock({ name });
      fresh.acquireSync().release();
      got.push(fresh.locked);
      Lock.delete(name);
      out(got);`,
      { args: [uniqueName()] },
    );
    const gone = 'ERR_MP_DAMAGED';
    expect(got, `cut to ${size}`).toEqual([
      gone,
      gone,
      gone,
      gone,
      gone,
      'boolean',
      expect.anything(),
      false,
    ]);
  }
});

test('an owner in another program, whose memory is cut off: the wait ends', async () => {
  const got = await runJson(
    `${head}
    import { spawn } from 'node:child_process';
    if (process.argv[3]) {
      const guard = new Lock({ name }).acquireSync();
      console.log('held');
      setInterval(() => guard.abandoned, 1000);
    } else {
      const lock = new Lock({ name });
      const child = spawn(process.execPath, [process.argv[1], name, 'child']);
      await new Promise((resolve) => child.stdout.once('data', resolve));
      const wait = rejected(lock.acquire());
      truncateSync(file, 8192);
      child.kill();
      out([await wait, await rejected(lock.acquire())]);
      Lock.delete(name);
    }`,
    { args: [uniqueName()] },
  );
  expect(got).toEqual(['ERR_MP_DAMAGED', 'ERR_MP_DAMAGED']);
});

test('overwritten with zeros, with noise, with an earlier copy: an error at the next attempt', async () => {
  const got = await runJson(
    `${head}
    const got = [];
    for (const how of ['zeros', 'noise', 'copy']) {
      const before = new Lock({ name });
      const copy = head(1 << 20);
      const lock = how === 'copy' ? before : new Lock({ name });
      lock.acquireSync().release();
      if (how === 'copy') { before.close(); }
      const used = how === 'copy' ? new Lock({ name }) : lock;
      const fd = openSync(file, 'r+');
      writeSync(fd, how === 'zeros' ? Buffer.alloc(1 << 20) : how === 'noise' ? Buffer.alloc(1 << 20, 0xa7) : copy);
      closeSync(fd);
      got.push(codeOf(() => used.acquireSync(2000)));
      used.close(); before.close();
      Lock.delete(name);
    }
    out(got);`,
    { args: [uniqueName()] },
  );
  expect(got).toEqual(['ERR_MP_DAMAGED', 'ERR_MP_DAMAGED', 'ERR_MP_DAMAGED']);
});

test('a table whose owner is long gone without a mark: the lock is taken from it', async () => {
  const got = await runJson(
    `${head}
    // Held by a process that is killed, the file as it was while it lived.
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', \`
      import { readFileSync, writeFileSync } from 'node:fs';
      import { Lock } from '\${import.meta.resolve('multiproc')}';
      new Lock({ name: '\${name}' }).acquireSync();
      writeFileSync('/tmp/\${name}', readFileSync('\${file}').subarray(0, 1 << 18));
      process.kill(process.pid, 'SIGKILL');\`]);
    const fd = openSync(file, 'r+');
    writeSync(fd, readFileSync('/tmp/' + name));
    closeSync(fd);
    const lock = new Lock({ name });
    const before = lock.owner;
    const guard = lock.acquireSync({ timeout: 20_000 });
    out([child.signal, before.pid === child.pid, guard.abandoned]);
    Lock.delete(name);
    (await import('node:fs')).rmSync('/tmp/' + name);`,
    { args: [uniqueName()] },
  );
  expect(got).toEqual(['SIGKILL', true, true]);
});

test('a table that is full: a clear error; deleting it helps', async () => {
  const got = await runJson(
    `${head}
    new Lock({ name }).close();
    const fd = openSync(file, 'r+');
    const alive = Buffer.from([1, 0, 0, 0x80]); // somebody's: thread 1
    for (let i = 1; i < 512; i++) writeSync(fd, alive, 0, 4, i * 131072 + 65536 - 24);
    closeSync(fd);
    const got = [codeOf(() => new Lock({ name })), readFileSync('/proc/self/maps', 'utf8').includes('multiproc.lock')];
    Lock.delete(name);
    new Lock({ name }).acquireSync();
    Lock.delete(name);
    out(got);`,
    { args: [uniqueName()] },
  );
  expect(got).toEqual(['ERR_MP_PARTICIPANTS', false]);
});

test('fuzz: 1,000 random files, opened, used and closed', async () => {
  const got = await runJson(
    `${head}
    let seed = 4711;
    const random = (n) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 8) % n;
    const codes = {};
    for (let round = 0; round < 1000; round++) {
      const first = new Lock({ name });
      if (random(2)) first.acquireSync();
      const good = head(1 << 18);
      const damage = () => {
        const fd = openSync(file, 'r+');
        for (let n = 1 + random(8); n > 0; n--) {
          const place = [0, 4096, 4096 + 64, 65536 * 3 - 256, 65536 * 3 - 64, 65536 * 5 - 256][random(random(2) ? 6 : 3)];
          const bytes = Buffer.from(Array.from({ length: 1 + random(40) }, () => random(3) ? random(256) : 0));
          writeSync(fd, bytes, 0, bytes.length, place + random(200));
        }
        closeSync(fd);
        if (random(8) === 0) truncateSync(file, random(1 << 18));
        if (random(8) === 0) writeFileSync(file, random(2) ? good : Buffer.alloc(random(300_000), random(256)));
      };
      const note = (code) => (codes[code] = (codes[code] ?? 0) + 1);
      let second;
      if (random(2)) damage();
      note(codeOf(() => { second = new Lock({ name }); return 'open' }));
      damage();
      for (const lock of [first, second, first]) {
        if (lock === undefined) continue;
        note(codeOf(() => { lock.tryAcquire()?.release(); return 'tried' }));
        note(codeOf(() => { lock.acquireSync({ timeout: random(3) }).release(); return 'waited' }));
        note(await rejected(lock.acquire({ timeout: random(3) }).then((g) => g.release())));
        note(codeOf(() => { lock.locked; lock.owner; Lock.list(); return 'seen' }));
        if (random(3) === 0) damage();
      }
      first.close(); second?.close();
      Lock.delete(name);
    }
    const last = new Lock({ name });
    last.acquireSync().release();
    Lock.delete(name);
    out(Object.keys(codes));`,
    { args: [uniqueName()], timeout: 90_000 },
  );
  const allowed =
    /^(open|tried|waited|seen|fine|ERR_MP_(DAMAGED|LAYOUT_VERSION|TIMEOUT|DEADLOCK|NOT_FOUND|PARTICIPANTS|NOT_HELD))$/;
  expect(got.filter((code: string) => !allowed.test(code))).toEqual([]);
  expect(got).toContain('ERR_MP_DAMAGED');
}, 120_000);

test('header: another version, another kind, another C library, every field', () => {
  const name = uniqueName();
  const file = `/dev/shm/multiproc.lock.${name}`;
  new Lock({ name }).close();
  const good = readFileSync(file).subarray(0, 1 << 18);
  const size = readFileSync(file).length;
  const after = (change: (bytes: Buffer) => Buffer, grow = true): string => {
    const bytes = change(Buffer.from(good));
    writeFileSync(file, grow ? Buffer.concat([bytes, Buffer.alloc(size - bytes.length)]) : bytes);
    const { code, message } = thrown(() => new Lock({ name }));
    expect(Lock.list().some((x) => x.name === name)).toBe(false);
    return `${code} ${message}`;
  };
  expect(after((b) => (b.writeUInt32LE(77, 4), b))).toMatch(/LAYOUT_VERSION.*\(77\).*Lock\.delete/);
  expect(after((b) => (b.writeUInt32LE(2, 8), b))).toMatch(/DAMAGED.*another object of multiproc/);
  expect(after((b) => (b.writeUInt32LE(1, 44), b))).toMatch(/DAMAGED.*overwrote/); // the checksum covers it
  expect(after((b) => b.fill(0))).toMatch(/DAMAGED.*not a Lock/);
  expect(after((b) => b, false)).toMatch(/DAMAGED.*shorter/);
  SharedArray.create(name, [8], 'int8').close();
  writeFileSync(file, readFileSync(`/dev/shm/multiproc.array.${name}`));
  expect(thrown(() => new Lock({ name })).message).toMatch(/not a Lock, but another object/);
  SharedArray.delete(name);
  Lock.delete(name);
  expect(existsSync(file)).toBe(false);
});
