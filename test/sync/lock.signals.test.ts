// Signals while a thread blocks, and what pending waits mean for the end of a process.
import { spawn } from 'node:child_process';
import { describe as group, expect, test } from 'vitest';
import { describe, runJson, runScript, scriptFile } from '../support/child.js';
import { head } from '../support/sync.js';

/** The start of a script in which a worker thread holds `lock` until the process ends. */
const held = `${head}
const lock = new mp.Lock(), r = new mp.RLock(), value = new mp.Value('i', 0), told = new mp.Value('i', 0);
for (const l of [lock, r, value.lock]) startPeer('thread', peers.hold, l, told);
await until(() => told.value === 3);
`;

group.each(['SIGINT', 'SIGTERM'] as const)('%s', (signal) => {
  test('with a listener ends a blocking wait by an InterruptedError; the listener runs afterwards', async () => {
    const got = await runJson<[string[], number, number, string]>(`${held}
      import { spawn } from 'node:child_process';
      const got = [];
      let heard = 0, quickest = Infinity;
      process.on('${signal}', () => heard++);
      for (const wait of [() => lock.acquireSync(), () => lock.acquireSync({ timeout: 1e6 }), () => r.acquireSync(), () => value.update((v) => v + 1), () => lock.runExclusiveSync(() => 1)]) {
        // From outside, when this thread sleeps in the kernel; it writes down when it sent the signal.
        const sender = spawn(process.execPath, ['-e', \`
          const { readFileSync } = require('node:fs');
          let calm = 0;
          (function look() {
            const stat = readFileSync('/proc/\${process.pid}/task/\${process.pid}/stat', 'latin1');
            calm = /^S/.test(stat.slice(stat.lastIndexOf(')') + 2)) ? calm + 1 : 0;
            if (calm < 20) return setTimeout(look, 5);
            const now = process.hrtime.bigint();
            process.kill(\${process.pid}, '${signal}');
            console.log(String(now));
          })()\`], { stdio: ['ignore', 'pipe', 'inherit'] });
        let text = '';
        sender.stdout.on('data', (t) => (text += t));
        const ended = new Promise((resolve) => sender.on('close', resolve));
        got.push(thrown(wait) + ' ' + heard);
        const now = process.hrtime.bigint();
        await ended;
        quickest = Math.min(quickest, Number(now - BigInt(text.trim())) / 1e6);
        await until(() => heard === got.length);
      }
      // An asynchronous wait is not interrupted: the listener can run meanwhile.
      const pending = rejected(lock.acquire(50));
      process.kill(process.pid, '${signal}');
      await until(() => heard === got.length + 1);
      console.log(JSON.stringify([got, quickest, value.value, await pending]));
      process.exit(0);`);
    expect(got[0]).toEqual([0, 1, 2, 3, 4].map((n) => `InterruptedError ERR_MP_INTERRUPTED ${n}`));
    // The promise is 100 ms. A loaded machine may take longer to run us, but not every time.
    expect(got[1]).toBeLessThan(100);
    expect(got.slice(2)).toEqual([0, 'TimeoutError ERR_MP_TIMEOUT']);
  });

  test('without a listener ends the process, however it waits', async () => {
    for (const wait of ['lock.acquireSync()', 'await lock.acquire()', 'value.update((v) => v + 1)']) {
      const child = spawn(process.execPath, [scriptFile(`${held} process.stdout.write('held'); ${wait};`)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const watchdog = setTimeout(() => child.kill('SIGKILL'), 20_000);
      child.stdout.once('data', () => child.kill(signal));
      const end = await new Promise((resolve) => child.on('close', (code, sig) => resolve([code, sig])));
      clearTimeout(watchdog);
      expect(end, wait).toEqual([null, signal]);
    }
  });
});

test('a signal whose listener was taken away again has its default action', async () => {
  const end = await runScript(`${held}
    import { spawn } from 'node:child_process';
    const listener = () => {};
    process.on('SIGTERM', listener);
    // Again and again: one of them comes while we wait, however late we begin to.
    spawn('sh', ['-c', 'while kill -TERM ' + process.pid + '; do sleep 0.1; done'], { stdio: 'ignore' });
    console.log(thrown(() => lock.acquireSync()));
    process.off('SIGTERM', listener);
    lock.acquireSync();`);
  expect([end.stdout, end.signal], describe(end)).toEqual([
    'InterruptedError ERR_MP_INTERRUPTED\n',
    'SIGTERM',
  ]);
});

test('other signals with a listener do not end a blocking wait', async () => {
  const end = await runScript(`${held}
    import { spawn } from 'node:child_process';
    let heard = 0;
    process.on('SIGUSR2', () => { heard++; console.log('heard') });
    // Until we end: some of them come while we wait, however late it starts.
    spawn('sh', ['-c', 'while kill -USR2 ' + process.pid + '; do sleep 0.05; done'], { stdio: 'ignore' });
    const from = performance.now();
    console.log(thrown(() => lock.acquireSync(400)), performance.now() - from >= 400);
    await until(() => heard > 0);
    process.exit(0);`);
  expect(end.stdout, describe(end)).toMatch(/^TimeoutError ERR_MP_TIMEOUT true\n(heard\n)+$/);
});

test('a pending wait keeps the process alive, and only while it is pending', async () => {
  const end = await runScript(`${head}
    const lock = new mp.Lock(), told = new mp.Value('i', 0), go = new mp.Value('i', 0);
    const peer = new mp.Process({ target: peers.holdUntil, args: [lock, told, go], detached: true }).start(); // does not keep us
    await until(() => told.value === 1);
    lock.acquire().then((g) => { console.log('got it'); g.release(); console.log(lock.locked) });
    lock.acquire(10).catch((e) => { console.log(e.name); go.value = 1 });`);
  expect([end.stdout, end.code], describe(end)).toEqual(['TimeoutError\ngot it\nfalse\n', 0]);
});

test('a wait behind a guard of this very environment keeps it alive, too', async () => {
  const end = await runScript(
    `${head}
    const lock = new mp.Lock();
    const guard = lock.acquireSync();
    lock.acquire(60).catch((e) => console.log(e.name));`,
  );
  expect([end.stdout, end.code], describe(end)).toEqual(['TimeoutError\n', 0]);
});

for (const [how, code] of [
  ['process.exit(7)', 7],
  ['throw new Error("uncaught on purpose")', 1],
] as const) {
  test(`pending waits do not hold up ${how}, and what was held is told to the next`, async () => {
    const end = await runScript(`${head}
      const lock = new mp.Lock(), own = new mp.Lock(), told = new mp.Value('i', 0);
      const guard = lock.acquireSync();
      const child = new mp.Process(peers.pendAndEnd, lock, own, told, ${code}).start();
      console.log(await child.join(), own.acquireSync().abandoned, lock.owner.pid === process.pid);
      guard.release();
      lock.acquireSync().release();
      await until(() => native.census().participants === 1);`);
    expect(end.stdout, describe(end)).toBe(`${code} true true\n`);
  });
}
