// Arenas that cannot be used, arenas that are full, and handles of what is not there.
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { runJson, scriptFile } from '../support/child.js';
import { closedError, head, typeError } from '../support/sync.js';

/** What a script prints when the shell has set a limit first. */
function limited(limit: string, script: string): unknown {
  const command = `ulimit ${limit}; exec ${process.execPath} ${scriptFile(script)}`;
  return JSON.parse(execFileSync('sh', ['-c', command], { encoding: 'utf8', timeout: 30_000 }));
}

test('an arena of another layout, or half made, is a clear error of the child, and costs the parent nothing', async () => {
  const got = await runJson(
    `${head}
    import { writeSync, readSync } from 'node:fs';
    const lock = new mp.Lock(), value = new mp.Value('i', 41);
    const guard = lock.acquireSync();
    const { fd } = native.arenaInfo();
    const kept = Buffer.alloc(64);
    readSync(fd, kept, 0, 64, 0);
    const at = Object.fromEntries(Object.entries(native.layout.offsets).map(([k, v]) => [k.replace('SegmentHeader.', ''), v]));
    const changes = {
      version: () => kept.readUInt32LE(at.layout_version) + 1, older: 0, magic: 0x12345678, kind: 99, unready: 0, size: 4096, libc: (1 << 30) + 4,
    };
    const fields = { version: 'layout_version', older: 'layout_version', magic: 'magic', kind: 'kind', unready: 'state', size: 'size', libc: 'token_layout' };
    const got = {};
    for (const [name, field] of Object.entries(fields)) {
      const word = Buffer.alloc(4);
      word.writeUInt32LE(typeof changes[name] === 'function' ? changes[name]() : changes[name]);
      writeSync(fd, word, 0, 4, at[field]);
      const p = new mp.Process({ target: peers.setValue, args: [value, 0], stdio: 'ignore' }).start();
      const error = await p.result().catch((e) => e);
      got[name] = [error.name, error.code, error.message, await p.join()];
      writeSync(fd, kept, 0, 64, 0);
    }
    const before = await mp.run(peers.setValue, value, 42);
    await until(() => native.census().participants === 1);
    got.after = [before, value.value, lock.locked, native.census().participants, native.census().objects];
    guard.release();
    out(got);`,
    { timeout: 50_000 },
  );
  const name = 'MultiprocessingError';
  const version = [name, 'ERR_MP_LAYOUT_VERSION', expect.stringContaining('load the same version'), 1];
  const damaged = (what: string) => [name, 'ERR_MP_DAMAGED', expect.stringContaining(what), 1];
  expect(got).toEqual({
    version,
    older: version,
    magic: damaged('no shared memory of multiproc'),
    kind: damaged('no shared memory of multiproc'),
    unready: damaged('never finished'),
    size: damaged('not the size it should have'),
    libc: [name, 'ERR_MP_LAYOUT_VERSION', expect.stringContaining('C library'), 1],
    after: [41, 42, true, 1, 2],
  });
});

test('a descriptor that is no arena, or a cut one, is a clear error', async () => {
  const got = await runJson(`${head}
    import { attachArena } from '${new URL('../../lib/memory/arena.js', import.meta.url).href}';
    import { closeSync, ftruncateSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
    import { tmpdir } from 'node:os';
    const dir = mkdtempSync(tmpdir() + '/multiproc-test-');
    let files = 0;
    const file = (size, bytes) => { const fd = openSync(dir + '/' + files++, 'w+'); ftruncateSync(fd, size); if (bytes) writeSync(fd, bytes, 0, bytes.length, 0); return fd };
    const good = Buffer.alloc(64);
    good.writeUInt32LE(0x4d50524f, 0); good.writeUInt32LE(native.layout.version, 4); good.writeUInt32LE(1, 8); good.writeUInt32LE(1, 12);
    good.writeBigUInt64LE(BigInt((1025 << 20) + native.layout.slotsBytes), 16);
    const hex = (b, at, x) => { const c = Buffer.from(b); c.writeUInt32LE(x, at); return c };
    const cases = {
      empty: file(0), short: file(63, Buffer.alloc(63)), zeros: file(1 << 20), text: file(4096, Buffer.from('#!/bin/sh\\nexit 0\\n'.repeat(50))),
      cut: file(4096, good), other: file(4096, hex(good, 4, 77)), directory: openSync(dir, 'r'), device: openSync('/dev/null', 'r+'),
    };
    const got = {};
    for (const [name, fd] of Object.entries(cases)) got[name] = thrown(() => attachArena(fd));
    const missing = openSync('/dev/null'); closeSync(missing);
    got.closed = thrown(() => attachArena(missing));
    // Nothing has been attached: the process can still make its own.
    const lock = new mp.Lock();
    got.after = [lock.tryAcquire() !== null, native.census().objects];
    rmSync(dir, { recursive: true });
    out(got);`);
  const damaged = 'ERR_MP_DAMAGED';
  expect(got).toEqual({
    ...{ empty: damaged, short: damaged, zeros: damaged, text: damaged, cut: damaged },
    ...{ other: 'ERR_MP_LAYOUT_VERSION', directory: damaged, device: damaged, closed: 'ERR_MP_MEMORY' },
    after: [true, 1],
  });
});

test('nobody can cut the arena while it is in use', async () => {
  const got = await runJson(`${head}
    import { ftruncateSync } from 'node:fs';
    const value = new mp.Value('i', 5), { fd } = native.arenaInfo();
    const codes = [0, 4096, 1 << 30].map((size) => { try { ftruncateSync(fd, size); return 'cut' } catch (e) { return e.code } });
    out([...codes, value.value]);`);
  expect(got).toEqual(['EPERM', 'EPERM', 'EPERM', 5]);
});

test('every object slot taken: ERR_MP_MEMORY, what there is goes on, and a closed one makes room', async () => {
  const got = await runJson(
    `${head}
    const lock = new mp.Lock(), value = new mp.Value('i', 5), last = new mp.RawValue('d', 1.5);
    let made = 3, error;
    try { for (;; made++) native.createObject(native.layout.kindLock, 0) } catch (e) { error = e.errno }
    const full = [() => new mp.Lock(), () => new mp.RLock(), () => new mp.Value('i', 1), () => new mp.RawValue('d')].map(thrown);
    const works = [lock.runExclusiveSync(() => value.update((v) => v + 1)), last.value, await mp.run(peers.setValue, value, 7)];
    last.close();
    const next = new mp.Value('q', 3n);
    out([made, error, ...full, ...works, value.value, String(next.value), thrown(() => new mp.Lock())]);`,
    { timeout: 50_000 },
  );
  const no = 'ERR_MP_MEMORY';
  expect(got).toEqual([2 ** 20 - 1, 'ENOSPC', no, no, no, no, 6, 1.5, 6, 7, '3', no]);
});

test('ulimit -v and ulimit -f: ERR_MP_MEMORY with the cause, and the program goes on', () => {
  const script = `${head}
    const message = (() => { try { new mp.Lock() } catch (e) { return e.message } })();
    out([thrown(() => new mp.Lock()), thrown(() => new mp.Value('i', 5)), message, native.arenaInfo() === null]);`;
  // What Node itself takes, in KiB, and less than the arena's mapping on top.
  const peak = "fs.readFileSync('/proc/self/status', 'latin1').match(/VmPeak:\\s+(\\d+)/)[1]";
  const own = Number(execFileSync(process.execPath, ['-p', peak], { encoding: 'utf8' }));
  expect(limited(`-v ${own + 350_000}`, script)).toEqual([
    'ERR_MP_MEMORY',
    'ERR_MP_MEMORY',
    expect.stringMatching(/^the shared memory of this process tree cannot be made: mmap: .*\(ENOMEM\)$/),
    true,
  ]);
  expect(limited('-f 1000', script)).toEqual([
    'ERR_MP_MEMORY',
    'ERR_MP_MEMORY',
    expect.stringMatching(/ftruncate: .*\(EFBIG\)$/),
    true,
  ]);
});

test('little address space: without the fast mapping everything still works', () => {
  const got = limited(
    '-v 4000000',
    `${head}
    const lock = new mp.Lock(), v = new mp.Value('q', 1);
    const guard = lock.acquireSync();
    const seen = [lock.locked, lock.tryAcquire()];
    guard.release();
    out([...seen, lock.locked, String(v.update((x) => x * 5n)), await lock.acquire().then((g) => g.abandoned)]);`,
  );
  expect(got).toEqual([true, null, false, '5', false]);
});

test('more threads than an arena has room for: ERR_MP_PARTICIPANTS, for threads and processes, until one ends', async () => {
  const got = await runJson(`${head}
    import { readSync, writeSync } from 'node:fs';
    const value = new mp.Value('i', 1), { fd } = native.arenaInfo();
    // 4,095 threads are too many for a test: the tokens of all free places are taken in their name.
    const taken = [], word = Buffer.alloc(4), zero = Buffer.alloc(4);
    word.writeUInt32LE(process.pid);
    for (let i = 1; i < 4096; i++) {
      const at = 4096 + 192 * i, state = Buffer.alloc(4);
      readSync(fd, state, 0, 4, at + native.layout.offsets['Participant.state']);
      if (state.readUInt32LE() & 1) continue;
      writeSync(fd, word, 0, 4, at + native.layout.offsets['Participant.token']);
      taken.push(at);
    }
    const thread = await startPeer('thread', peers.setValue, value, 2).done.catch((e) => [e.name, e.code, e.message]);
    const p = new mp.Process({ target: peers.setValue, args: [value, 3], stdio: 'ignore' }).start();
    const process_ = await p.result().catch((e) => [e.name, e.code, e.message]);
    const still = [value.value, taken.length, native.census().participants];
    for (const at of taken) writeSync(fd, zero, 0, 4, at);
    out([thread, process_, ...still, await startPeer('thread', peers.setValue, value, 4).done, await mp.run(peers.setValue, value, 5), value.value]);`);
  const full = [expect.any(String), 'ERR_MP_PARTICIPANTS', expect.stringContaining('4,095 are alive')];
  expect(got).toEqual([full, full, 1, 4094, 1, 1, 4, 5]);
});

test('damaged handles are told from those of objects that are gone and from those of other trees', async () => {
  const got = await runJson(`${head}
    const lock = new mp.Lock(), rlock = new mp.RLock(), value = new mp.Value('i', 5);
    const objects = native.census().objects, h = mp.share(lock), v = mp.share(value);
    const bad = (x) => [undefined, null, NaN, -1, -0.5, 1.5, h.slot + 0.5, 2 ** 32 + h.slot, 2 ** 20, 2 ** 53, Infinity, '1', 1n, {}, [1], true].map((b) => ({ ...x, slot: b }))
      .concat([undefined, null, NaN, -1, 1.5, 2 ** 24, 2 ** 32 + h.generation, '1', 1n].map((b) => ({ ...x, generation: b })))
      .concat([undefined, null, 5, {}, 10n, []].map((b) => ({ ...x, arena: b })));
    const damaged = [...bad(h), ...bad(mp.share(rlock)), ...bad(v), ...bad({ ...v, multiproc: 'RawValue' })];
    const wrongKind = [{ ...h, multiproc: 'Value' }, { ...h, multiproc: 'RawValue' }, { ...v, multiproc: 'Lock', kind: native.layout.kindLock }, { ...v, multiproc: 'Lock', kind: native.layout.kindValue },
      { ...h, multiproc: 'RLock' }, { ...mp.share(rlock), multiproc: 'Lock' }, { ...h, kind: 77 }, { ...h, kind: '2' }, { ...h, kind: undefined }];
    const foreign = ['', '0', 'dead', h.arena + '0', h.arena.toUpperCase() + 'x', ' ' + h.arena].map((arena) => ({ ...h, arena }));
    const unknown = ['', 'lock', 'Semaphore9', '__proto__', 'constructor', 'toString'].map((multiproc) => ({ ...h, multiproc }));
    const none = [null, undefined, 5, 'Lock', {}, [], () => h, { multiproc: 5 }, lock, h.slot];
    const gone = [{ ...h, generation: h.generation + 1 }, { ...h, slot: h.slot + 500 }, { ...v, slot: 0 }, { ...v, slot: 1000 }, { ...v, slot: 2 ** 20 - 1 }];
    const kinds = (list) => [...new Set(list.map((x) => thrown(() => mp.open(x))))];
    const shared = [null, undefined, 5, 'x', {}, [], () => 1, new Map(), h].map((x) => thrown(() => mp.share(x)));
    out({ damaged: kinds(damaged), wrongKind: kinds(wrongKind), foreign: kinds(foreign), unknown: kinds(unknown), none: kinds(none), gone: kinds(gone), shared: [...new Set(shared)],
      more: native.census().objects - objects, fine: mp.open({ ...h, extra: 1 }).locked, works: [lock.tryAcquire() !== null, rlock.tryAcquire() !== null, value.add(1)] });`);
  expect(got).toEqual({
    ...{ damaged: ['ERR_MP_HANDLE'], wrongKind: ['ERR_MP_HANDLE'], foreign: ['ERR_MP_HANDLE'] },
    ...{ unknown: ['ERR_MP_HANDLE'], none: [typeError], gone: [closedError], shared: [typeError] },
    ...{ more: 0, fine: false, works: [true, true, 5] },
  });
});

test('a handle of another process tree is refused by name, of a tree that has ended, too', async () => {
  const handle = await runJson(`${head} out(mp.share(new mp.Lock()));`);
  const got = await runJson(`${head}
    const handle = ${JSON.stringify(handle)}, gone = thrown(() => mp.open(handle));
    const own = new mp.Lock();
    let message = '';
    try { mp.open(handle) } catch (e) { message = e.message }
    out([gone, thrown(() => mp.open(handle)), message]);`);
  expect(got).toEqual([
    'ERR_MP_NOT_FOUND',
    'ERR_MP_HANDLE',
    expect.stringContaining('belongs to another process tree'),
  ]);
});
