import { spawn, spawnSync } from 'node:child_process';
import { existsSync, statfsSync, writeFileSync, rmSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { SharedArray } from 'multiproc';
import { eventually, scriptFile } from '../support/child.js';
import { nothingHalfMade, removeNames, sharedFiles, uniqueName } from '../support/names.js';

afterEach(removeNames);

interface Running {
  done: Promise<{ code: number | null; signal: string | null; out: string; err: string }>;
  kill(): void;
  ready: Promise<void>;
}

/** Starts a script (made once: a process may be reading it) that prints 'ready' and later its result. */
function start(script: string, args: string[]): Running {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  let isReady = (): void => undefined;
  const ready = new Promise<void>((resolve) => (isReady = resolve));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    if (out.startsWith('ready')) isReady();
  });
  const done = new Promise<Awaited<Running['done']>>((resolve) => {
    child.on('close', (code, signal) => {
      isReady();
      resolve({ code, signal, out: out.replace(/^ready\n/, ''), err });
    });
  });
  return { done, ready, kill: () => void child.kill('SIGKILL') };
}

const head = `
import { existsSync } from 'node:fs';
import { SharedArray } from 'multiproc';
const [name, gate] = process.argv.slice(2);
process.stdout.write('ready\\n');
`;

/** Runs a script in several processes that all begin at the same moment; their results. */
async function together(count: number, source: string, name: string): Promise<number[]> {
  const gate = `/tmp/${name}.gate`;
  const script = scriptFile(`${head} while (!existsSync(gate)); ${source}`);
  const all = Array.from({ length: count }, () => start(script, [name, gate]));
  try {
    await Promise.all(all.map((one) => one.ready));
    writeFileSync(gate, '');
    return (await Promise.all(all.map((one) => one.done))).map(({ code, out, err }) => {
      if (code !== 0) throw new Error(`code ${code}\n${out}\n${err}`);
      return Number(out);
    });
  } finally {
    for (const one of all) one.kill();
    rmSync(gate, { force: true });
  }
}

test('creators racing: exactly one wins, the others find the whole array or ERR_MP_EXISTS', async () => {
  const name = uniqueName();
  const rounds = 200;
  const wins = await together(
    4,
    `let wins = 0;
    for (let i = 0; i < ${rounds}; i++) {
      try {
        const a = SharedArray.create(name + '-' + i, [1000], 'int32');
        wins++;
        a.close();
      } catch (e) { if (e.code !== 'ERR_MP_EXISTS') throw e }
      const b = SharedArray.attach(name + '-' + i);
      if (b.shape[0] !== 1000 || b.dtype !== 'int32') throw new Error('not whole');
      b.close();
    }
    console.log(wins);`,
    name,
  );
  expect(wins.reduce((a, b) => a + b)).toBe(rounds);
  for (const array of SharedArray.list())
    if (array.name.startsWith(`${name}-`)) SharedArray.delete(array.name);
});

test("ifExists: 'attach' racing: all have the same array", async () => {
  const name = uniqueName();
  const rounds = 200;
  await together(
    4,
    `for (let i = 0; i < ${rounds}; i++) {
      const a = SharedArray.create(name + '-' + i, [4], 'int32', { ifExists: 'attach' });
      Atomics.add(a.data, 0, 1);
      a.close();
    }
    console.log(0);`,
    name,
  );
  for (let i = 0; i < rounds; i++) {
    const a = SharedArray.attach(`${name}-${i}`);
    expect(a.at(0)).toBe(4);
    a.close();
    SharedArray.delete(`${name}-${i}`);
  }
});

test('a dead creator’s unfinished array: of those that replace it at once, one does', async () => {
  const name = uniqueName();
  const rounds = 50;
  const { readFileSync } = await import('node:fs');
  SharedArray.create(name, [4], 'int32').close();
  const unready = readFileSync(`/dev/shm/multiproc.array.${name}`);
  unready.writeUInt32LE(0, 12);
  unready.writeBigUInt64LE(1n, 64 + 32);
  SharedArray.delete(name);
  for (let i = 0; i < rounds; i++) writeFileSync(`/dev/shm/multiproc.array.${name}-${i}`, unready);
  await together(
    4,
    `for (let i = 0; i < ${rounds}; i++) {
      const a = SharedArray.create(name + '-' + i, [4], 'int32', { ifExists: 'attach' });
      Atomics.add(a.data, 0, 1);
      a.close();
    }
    console.log(0);`,
    name,
  );
  for (let i = 0; i < rounds; i++) {
    expect(SharedArray.attach(`${name}-${i}`).at(0)).toBe(4);
    SharedArray.delete(`${name}-${i}`);
  }
});

test('replaced again and again: who attaches meanwhile always finds a whole one', async () => {
  const name = uniqueName();
  SharedArray.create(name, [1000], 'int32').close();
  const found = await together(
    3,
    `let found = 0;
    for (let i = 0; i < 400; i++) {
      if (process.pid % 2) {
        SharedArray.create(name, [1000 + i % 5], 'int32', { ifExists: 'replace' }).close();
      } else {
        const a = SharedArray.attach(name);
        if (a.at(-1) === 0) found++;
        a.close();
      }
    }
    console.log(found);`,
    name,
  );
  expect(found.every((n) => n === 0 || n === 400)).toBe(true);
  SharedArray.delete(name);
  await nothingHalfMade(() => SharedArray.list());
});

test('created, replaced and deleted by processes that are killed at any moment: 320 kills, nothing left over', async () => {
  const name = uniqueName();
  const free = (): number => {
    const { bfree, bsize } = statfsSync('/dev/shm');
    return bfree * bsize;
  };
  const before = free();
  const script = scriptFile(`${head}
    for (let i = 0; ; i++) {
      const how = { ifExists: ['error', 'attach', 'replace'][i % 3] };
      try {
        if (i % 8 === 7) await SharedArray.createAsync(name, [1 << 20], 'uint8', how).then((a) => a.close());
        else SharedArray.create(name, [1 << 20], 'uint8', how).close();
        if (i % 4 === 3) SharedArray.delete(name);
      } catch (e) {
        if (e.code !== 'ERR_MP_EXISTS' && e.code !== 'ERR_MP_NOT_FOUND') { console.error(e); process.exit(1) }
      }
    }`);
  let kills = 0;
  let seed = 7;
  const random = (): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) / 2 ** 32;
  const storm = async (): Promise<void> => {
    while (kills < 320) {
      kills++;
      const one = start(script, [name, '']);
      await one.ready;
      const until = performance.now() + random() * 12; // where in the loop it is then, nobody knows
      while (performance.now() < until) await new Promise(setImmediate);
      one.kill();
      const { code, signal, err } = await one.done;
      expect([code, signal, err]).toEqual([null, 'SIGKILL', '']);
      if (existsSync(`/dev/shm/multiproc.array.${name}`)) {
        try {
          const a = SharedArray.attach(name);
          expect([a.shape, a.at(0), a.at(-1)]).toEqual([[1 << 20], 0, 0]);
          a.close();
        } catch (error) {
          expect((error as { code: string }).code).toBe('ERR_MP_NOT_FOUND'); // another one deleted it
        }
      }
    }
  };
  await Promise.all([storm(), storm()]);
  await nothingHalfMade(() => SharedArray.list());
  if (existsSync(`/dev/shm/multiproc.array.${name}`)) SharedArray.delete(name);
  expect(sharedFiles(name)).toEqual([]);
  // Others of this run use /dev/shm as well, so this is only about leaks of every kill.
  await eventually('nothing of the size of a leak is missing', () => before - free() < 64 << 20);
}, 180_000);

const canTrace = spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;

test.skipIf(!canTrace)(
  'a creator killed at each system call of creation: nothing, or what was there before',
  async () => {
    const name = uniqueName();
    const script = scriptFile(`
    import { SharedArray } from 'multiproc';
    SharedArray.create(process.argv[2], [1 << 20], 'uint8', { ifExists: process.argv[3] });`);
    for (const [how, calls] of [
      ['error', ['ftruncate', 'fallocate', 'pwrite64', 'linkat']],
      ['replace', ['ftruncate', 'fallocate', 'pwrite64', 'linkat', 'rename']],
    ] as const) {
      for (const call of calls) {
        if (how === 'replace') SharedArray.create(name, [5], 'uint8').close();
        const inject = [`-e`, `trace=${call}`, '-e', `inject=${call}:signal=SIGKILL:when=1`];
        const end = spawnSync('strace', [
          '-f',
          '-o',
          '/dev/null',
          ...inject,
          process.execPath,
          script,
          name,
          how,
        ]);
        expect([how, call, end.signal ?? end.status]).toEqual([how, call, 'SIGKILL']);
        await nothingHalfMade(() => SharedArray.list());
        if (how === 'error') {
          expect(sharedFiles(name)).toEqual([]);
        } else {
          const a = SharedArray.attach(name);
          expect(a.shape).toEqual([5]);
          a.close();
          SharedArray.delete(name);
        }
      }
    }
  },
  120_000,
);
