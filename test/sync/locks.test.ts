// locks.request(): the Web Locks API across processes.
import { afterEach, expect, test } from 'vitest';
import { locks } from 'multiproc';
import { runJson, scriptFile } from '../support/child.js';
import { removeNames, sharedFiles, uniqueName } from '../support/names.js';

afterEach(removeNames);

const head = `
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { locks } from 'multiproc';
const [, , name, ...rest] = process.argv;
/** Of our name: others may be testing on this machine. */
const query = (list) => locks.query()[list].filter((l) => l.name === name);
const out = (value) => console.log(JSON.stringify(value));
const files = () => readdirSync('/dev/shm').filter((f) => f.startsWith('multiproc.request.') && f.includes(name));
/** Another program, and the lines it prints. */
function start(file, ...args) {
  const child = spawn(process.execPath, [file, name, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { child, end: once(child, 'close'), line: async () => (await lines.next()).value };
}
`;

/** Holds the name until its input ends, or for good. */
const holder = scriptFile(`${head}
await locks.request(name, { mode: rest[0] ?? 'exclusive' }, async (lock) => {
  out(lock);
  await once(process.stdin.resume(), 'end');
}).catch((e) => out(e.name));
out('over');
`);

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'fine',
    (e: Error & { code?: string }) => `${e.name} ${e.code}`,
  );

test('the callback gets the lock, its result comes back, and the lock is free after it', async () => {
  const name = uniqueName();
  const given = await locks.request(name, (lock) => {
    expect(locks.query().held.filter((l) => l.name === name)).toEqual([
      {
        name,
        mode: 'exclusive',
        clientId: `${process.pid}`,
        owner: { pid: process.pid, name: 'MainProcess', thread: 0 },
      },
    ]);
    return lock;
  });
  expect(given).toEqual({ name, mode: 'exclusive', abandoned: false });
  await expect(
    locks.request(name, () => {
      throw new Error('from inside');
    }),
  ).rejects.toThrow('from inside');
  await expect(locks.request(name, () => Promise.reject(new Error('later')))).rejects.toThrow('later');
  expect(locks.query().held.filter((l) => l.name === name)).toEqual([]);
  expect(await locks.request(name, { ifAvailable: true }, (lock) => lock?.mode)).toBe('exclusive');
});

test('modes, order, ifAvailable and signals, within one environment', async () => {
  const name = uniqueName();
  const seen: string[] = [];
  let free = (): void => undefined;
  const first = locks.request(name, { mode: 'shared' }, () => {
    seen.push('shared');
    return new Promise<void>((resolve) => (free = resolve));
  });
  await locks.request(name, { mode: 'shared' }, () => seen.push('shared, too'));
  expect(await locks.request(name, { ifAvailable: true }, (lock) => lock)).toBe(null);
  const second = locks.request(name, () => seen.push('exclusive'));
  const third = locks.request(name, { mode: 'shared' }, () => seen.push('behind it'));
  expect(await locks.request(name, { mode: 'shared', ifAvailable: true }, (lock) => lock)).toBe(null);
  const controller = new AbortController();
  const aborted = locks.request(name, { signal: controller.signal }, () => seen.push('never'));
  controller.abort(new Error('not any more'));
  await expect(aborted).rejects.toThrow('not any more');
  await expect(locks.request(name, { signal: controller.signal }, () => 1)).rejects.toThrow('not any more');
  expect(locks.query().pending.filter((l) => l.name === name)).toMatchObject([{ mode: 'exclusive' }]);
  free();
  await Promise.all([first, second, third]);
  expect(seen).toEqual(['shared', 'shared, too', 'exclusive', 'behind it']);
});

test('who was stolen from has an AbortError, also if its callback ends before it hears of it', async () => {
  const name = uniqueName();
  const seen: unknown[] = [];
  const robbed = locks.request(name, async () => {
    seen.push(await locks.request(name, { steal: true }, (lock) => lock.mode));
    return 'its own';
  });
  expect(await codeOf(robbed)).toBe('AbortError 20');
  expect(seen).toEqual(['exclusive']);
  expect(await locks.request(name, { ifAvailable: true }, (lock) => lock?.abandoned)).toBe(false);
});

test('bad arguments are refused at the call, and nothing is made', async () => {
  const request = locks.request as (...args: unknown[]) => Promise<unknown>;
  const name = uniqueName();
  const nothing = (): void => undefined;
  expect(await codeOf(request(name))).toBe('TypeError ERR_MP_TYPE');
  expect(await codeOf(request(7, nothing))).toBe('TypeError ERR_MP_TYPE');
  expect(await codeOf(request('', nothing))).toBe('RangeError ERR_MP_RANGE');
  expect(await codeOf(request('x'.repeat(300), nothing))).toBe('RangeError ERR_MP_RANGE');
  expect(await codeOf(request('half \ud800', nothing))).toBe('RangeError ERR_MP_RANGE');
  expect(await codeOf(request(name, 'shared', nothing))).toBe('TypeError ERR_MP_TYPE');
  expect(await codeOf(request(name, { mode: 'both' }, nothing))).toBe('TypeError ERR_MP_TYPE');
  expect(await codeOf(request(name, { steal: 1 }, nothing))).toBe('TypeError ERR_MP_TYPE');
  expect(await codeOf(request(name, { steal: true, mode: 'shared' }, nothing))).toBe('TypeError ERR_MP_TYPE');
  expect(await codeOf(request(name, { steal: true, ifAvailable: true }, nothing))).toBe(
    'TypeError ERR_MP_TYPE',
  );
  const { signal } = new AbortController();
  expect(await codeOf(request(name, { signal, ifAvailable: true }, nothing))).toBe('TypeError ERR_MP_TYPE');
  expect(await codeOf(request(name, { signal: 'soon' }, nothing))).toBe('TypeError ERR_MP_TYPE');
  expect(sharedFiles(name)).toEqual([]);
  const odd = `${name}/../ö\0%`;
  expect(await locks.request(odd, (lock) => lock.name)).toBe(odd);
});

test('another program waits, is served, is stolen from; the name goes with its last user', async () => {
  const name = uniqueName();
  const result = await runJson(
    `${head}
    const one = start(rest[0]);
    const seen = [JSON.parse(await one.line()).mode];
    seen.push(await locks.request(name, { ifAvailable: true }, (lock) => lock));
    const waiting = locks.request(name, (lock) => lock.abandoned);
    one.child.stdin.end();
    seen.push(await one.line(), await waiting);
    await one.end;
    const two = start(rest[0]), three = start(rest[0]);
    const begun = new Map([two, three].map((program) => [program, program.line().then(() => program)]));
    const first = await Promise.race(begun.values());
    const second = first === two ? three : two;
    while (query('pending').length === 0) await new Promise((r) => setTimeout(r, 5));
    seen.push(query('held').length, query('held')[0].owner.pid === first.child.pid);
    seen.push(await locks.request(name, { steal: true }, (lock) => lock.mode));
    seen.push(await first.line(), await first.line());
    first.child.stdin.end();
    await begun.get(second);
    second.child.stdin.end();
    await Promise.all([first.end, second.end]);
    seen.push(files().length);
    process.on('exit', () => out([...seen, files().length]));`,
    { args: [name, holder] },
  );
  expect(result).toEqual([
    'exclusive',
    null,
    '"over"',
    false,
    1,
    true,
    'exclusive',
    '"AbortError"',
    '"over"',
    1,
    0,
  ]);
});

test('a killed holder is reported, and one killed while it waits counts for nothing', async () => {
  const name = uniqueName();
  const result = await runJson(
    `${head}
    const one = start(rest[0]);
    await one.line();
    const dying = start(rest[0]);
    while (query('pending').length === 0) await new Promise((r) => setTimeout(r, 5));
    const waiting = locks.request(name, (lock) => lock.abandoned);
    dying.child.kill('SIGKILL');
    one.child.kill('SIGKILL');
    const told = await waiting;
    await Promise.all([one.end, dying.end]);
    const reader = start(rest[0], 'shared');
    await reader.line();
    reader.child.kill('SIGKILL');
    out([told, await locks.request(name, (lock) => lock.abandoned)]);`,
    { args: [name, holder] },
  );
  expect(result).toEqual([true, false]);
  expect(sharedFiles(name)).toEqual([]);
});

test('all users killed: the name stays, and is cleared away by its next user', async () => {
  const name = uniqueName();
  await runJson(
    `${head} const one = start(rest[0]); await one.line(); one.child.kill('SIGKILL'); await one.end; out(files().length);`,
    { args: [name, holder] },
  ).then((left) => expect(left).toBe(1));
  expect(
    await runJson(`${head} out(await locks.request(name, (lock) => lock.abandoned));`, { args: [name] }),
  ).toBe(true);
  expect(sharedFiles(name)).toEqual([]);
});

test('programs that come and go all the time never hold a name together', async () => {
  const name = uniqueName();
  // Each makes the name, or finds it, and retires it at its end: openers and retirers meet at every step.
  const visitor = scriptFile(`${head}
  for (let i = 0; i < 5; i++) {
    await locks.request(name, async () => {
      closeSync(openSync('/dev/shm/' + name + '-inside', 'wx'));
      await new Promise((r) => setImmediate(r));
      rmSync('/dev/shm/' + name + '-inside');
    });
  }
  `);
  const result = await runJson(
    `${head}
    const codes = [];
    const lane = async () => { for (let i = 0; i < 8; i++) codes.push((await start(rest[0]).end)[0]); };
    await Promise.all([lane(), lane(), lane(), lane()]);
    out([codes.length, codes.filter((c) => c !== 0).length, files().length]);`,
    { args: [name, visitor], timeout: 60_000 },
  );
  expect(result).toEqual([32, 0, 0]);
}, 70_000);
