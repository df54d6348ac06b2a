// Unrelated programs that meet on a name: exclusion, kills, races of creation and deletion.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { Lock } from 'multiproc';
import { scriptFile } from '../support/child.js';
import { nothingHalfMade, removeNames, sharedFiles, uniqueName } from '../support/names.js';

afterEach(removeNames);

interface Program {
  child: ChildProcess;
  ready: Promise<void>;
  /** What it printed, after 'ready'. Rejects if it failed by itself, or was late. */
  end: Promise<string>;
}

const watchdogMs = 90_000;

/** Starts a program of its own that prints 'ready' once it has loaded everything. */
function start(script: string, args: string[]): Program {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  let late = false;
  let isReady = (): void => undefined;
  const ready = new Promise<void>((resolve) => (isReady = resolve));
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    isReady();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const watchdog = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, watchdogMs);
  const end = new Promise<string>((resolve, reject) => {
    child.on('close', (code, signal) => {
      clearTimeout(watchdog);
      isReady();
      if (late || (code !== 0 && signal !== 'SIGKILL'))
        reject(new Error(`late: ${late}, code ${code}, signal ${signal}\n${out}\n${err}`));
      else resolve(out.replace(/^ready\n/, ''));
    });
  });
  end.catch(() => undefined); // whoever waits for it hears of it
  return { child, ready, end };
}

const head = `
import { existsSync, readFileSync, writeFileSync, openSync, readSync, writeSync } from 'node:fs';
import { Lock } from 'multiproc';
const [name, file] = process.argv.slice(2);
const cell = new BigInt64Array(1);
const add = (fd) => { readSync(fd, cell, 0, 8, 0); cell[0]++; writeSync(fd, cell, 0, 8, 0) };
process.stdout.write('ready\\n');
`;

test('two unrelated programs exclude each other: the total is exact, blocking and not', async () => {
  const name = uniqueName();
  const file = `/tmp/${name}`;
  writeFileSync(file, Buffer.alloc(8));
  const script = scriptFile(`${head}
    const lock = new Lock({ name });
    const fd = openSync(file, 'r+');
    for (let i = 0; i < 20_000; i++) {
      const guard = i % 4 === 3 ? await lock.acquire() : lock.acquireSync();
      add(fd);
      guard.release();
    }`);
  const programs = [start(script, [name, file]), start(script, [name, file])];
  await Promise.all(programs.map((p) => p.end));
  expect(readFileSync(file).readBigInt64LE()).toBe(40_000n);
  rmSync(file);
  Lock.delete(name);
});

test('a storm of kills: the next one gets it soon and is told, nobody shares it', async () => {
  const name = uniqueName();
  const file = `/tmp/${name}`;
  writeFileSync(file, Buffer.alloc(8));
  // Whoever is in the critical section has its pid in the file; finding another's there means its owner was killed inside.
  const script = scriptFile(`${head}
    const lock = new Lock({ name });
    const fd = openSync(file, 'r+');
    const who = new BigInt64Array(1), mine = new BigInt64Array([BigInt(process.pid)]), nobody = new BigInt64Array(1);
    for (let i = 0; ; i++) {
      const guard = i % 5 === 4 ? await lock.acquire() : lock.acquireSync();
      readSync(fd, who, 0, 8, 0);
      if (who[0] !== 0n && !guard.abandoned) { console.error('two owners', who[0], process.pid); process.exit(1) }
      writeSync(fd, mine, 0, 8, 0);
      for (let j = 0; j < 3; j++) {
        readSync(fd, who, 0, 8, 0);
        if (who[0] !== mine[0]) { console.error('overtaken by', who[0]); process.exit(1) }
      }
      writeSync(fd, nobody, 0, 8, 0);
      guard.release();
      if (i % 50 === 0) await new Promise(setImmediate);
    }`);
  const lock = new Lock({ name });
  let programs = Array.from({ length: 3 }, () => start(script, [name, file]));
  let abandoned = 0;
  let longest = 0;
  let seed = 11;
  const random = (): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) / 2 ** 32;
  for (let kills = 0; kills < 60; kills++) {
    const victim = programs[kills % 3]!;
    await victim.ready;
    await new Promise((resolve) => setTimeout(resolve, random() * 30));
    victim.child.kill('SIGKILL');
    const since = performance.now();
    const guard = await lock.acquire({ timeout: 30_000 });
    longest = Math.max(longest, performance.now() - since);
    if (guard.abandoned) {
      abandoned++;
      writeFileSync(file, Buffer.alloc(8), { flag: 'r+' });
    }
    guard.release();
    await victim.end;
    programs[kills % 3] = start(script, [name, file]);
  }
  for (const { child } of programs) child.kill('SIGKILL');
  await Promise.all(programs.map((p) => p.end));
  programs = [];
  expect(longest).toBeLessThan(5_000);
  // An owner that sleeps in its critical section is the surest one to be killed inside.
  const sleeper = scriptFile(`${head}
    const guard = new Lock({ name }).acquireSync();
    process.stdout.write('held\\n');
    setInterval(() => guard.abandoned, 1000);`);
  for (let i = 0; i < 5; i++) {
    const one = start(sleeper, [name, file]);
    await new Promise<void>((resolve) =>
      one.child.stdout!.on('data', (text: string) => text.includes('held') && resolve()),
    );
    const pending = lock.acquire({ timeout: 30_000 });
    one.child.kill('SIGKILL');
    const guard = await pending;
    expect(guard.abandoned).toBe(true);
    abandoned++;
    guard.release();
    await one.end;
  }
  expect(abandoned).toBeGreaterThan(4);
  lock.close();
  rmSync(file);
  Lock.delete(name);
}, 120_000);

test('20 programs make it at once: one lock', async () => {
  const name = uniqueName();
  const file = `/tmp/${name}`;
  writeFileSync(file, Buffer.alloc(8));
  const script = scriptFile(`${head}
    const fd = openSync(file, 'r+');
    while (!existsSync(file + '.go'));
    for (let i = 0; i < 20; i++) {
      const lock = new Lock({ name: name + '-' + i });
      const guard = lock.acquireSync();
      if (i === 0) for (let n = 0; n < 50; n++) add(fd);
      guard.release();
      lock.close();
    }`);
  const programs = Array.from({ length: 20 }, () => start(script, [name, file]));
  await Promise.all(programs.map((p) => p.ready));
  writeFileSync(`${file}.go`, '');
  await Promise.all(programs.map((p) => p.end));
  expect(readFileSync(file).readBigInt64LE()).toBe(1000n);
  rmSync(file);
  rmSync(`${file}.go`);
  for (let i = 0; i < 20; i++) Lock.delete(`${name}-${i}`);
  expect(sharedFiles(name)).toEqual([]);
}, 120_000);

test('made, used and deleted by programs that are killed at any moment: 60 kills, nothing left over', async () => {
  const name = uniqueName();
  const script = scriptFile(`${head}
    const dropName = () => {
      try { Lock.delete(name) } catch (error) { if (error.code !== 'ERR_MP_NOT_FOUND') throw error } // others delete it, too
    };
    for (let i = 0; ; i++) {
      const lock = new Lock({ name });
      const guard = i % 3 ? lock.acquireSync() : await lock.acquire();
      if (!lock.locked && Lock.list().length < 0) throw new Error();
      guard.release();
      lock.close();
      if (i % 4 === 3) dropName();
    }`);
  let kills = 0;
  const storm = async (): Promise<void> => {
    while (kills < 60) {
      const wait = (kills++ * 7919) % 23;
      const one = start(script, [name, '']);
      await one.ready;
      await new Promise((resolve) => setTimeout(resolve, wait));
      one.child.kill('SIGKILL');
      await one.end;
      const lock = new Lock({ name });
      const guard = await lock.acquire({ timeout: 30_000 });
      guard.release();
      lock.close();
    }
  };
  await Promise.all([storm(), storm()]);
  new Lock({ name }).close(); // the last one killed may have deleted it
  Lock.delete(name);
  await nothingHalfMade(() => Lock.list());
  expect(sharedFiles(name)).toEqual([]);
  expect(existsSync(`/dev/shm/multiproc.lock.${name}`)).toBe(false);
}, 120_000);

test('in other pid namespaces: exclusion and deaths as here; pids are not told', async ({ skip }) => {
  const probe = spawn('unshare', ['-pf', 'true']);
  if ((await new Promise((resolve) => probe.on('close', resolve).on('error', resolve))) !== 0)
    skip('pid namespaces are not permitted here');
  const name = uniqueName();
  const script = scriptFile(`${head}
    const guard = new Lock({ name }).acquireSync();
    process.stdout.write('held ' + guard.abandoned + '\\n');
    setInterval(() => 0, 1000);`);
  const lock = new Lock({ name });
  for (let i = 0; i < 3; i++) {
    // --kill-child: the namespace ends with unshare itself
    const child = spawn('unshare', ['-pf', '--mount-proc', '--kill-child', process.execPath, script, name]);
    await new Promise<void>((resolve) =>
      child.stdout.on('data', (text: Buffer) => String(text).includes('held') && resolve()),
    );
    expect(lock.owner).toEqual({ pid: NaN, name: 'MainProcess', thread: 0 });
    expect(Lock.list().find((x) => x.name === name)!.owner!.pid).toBe(NaN);
    const pending = lock.acquire({ timeout: 30_000 });
    child.kill('SIGKILL');
    const guard = await pending;
    expect(guard.abandoned).toBe(true);
    guard.release();
  }
  lock.close();
  Lock.delete(name);
}, 60_000);

const canTrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;

test.skipIf(!canTrace)(
  'killed at each system call of making, opening and closing it: no lock or a whole one, and nothing beside it',
  async () => {
    const name = uniqueName();
    const script = scriptFile(`${head}
      const lock = new Lock({ name });
      const guard = lock.acquireSync();
      guard.release();
      lock.close();`);
    for (const [call, times] of [
      ['ftruncate', 1],
      ['fallocate', 2],
      ['pwrite64', 1],
      ['linkat', 1],
    ] as const) {
      for (let when = 1; when <= times; when++) {
        const end = spawnSync('strace', [
          ...['-f', '-o', '/dev/null', '-e', `trace=${call}`],
          ...['-e', `inject=${call}:signal=SIGKILL:when=${when}`, process.execPath, script, name],
        ]);
        const there = sharedFiles(name).length;
        expect([call, when, end.signal ?? end.status, there]).toEqual([call, when, 'SIGKILL', there]);
        await nothingHalfMade(() => Lock.list());
        const lock = new Lock({ name });
        const guard = await lock.acquire({ timeout: 10_000 });
        guard.release();
        lock.close();
        Lock.delete(name);
      }
    }
  },
  60_000,
);
