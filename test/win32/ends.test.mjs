// Nobody outlives its parent, however that ends; unless it is detached.
import * as work from './fixtures/work.mjs';
import { assert, mp, runs, test, until } from './support.mjs';

test('a killed process takes its busy child and grandchild with it, within a second', async () => {
  const pids = new mp.Array('i', 3);
  const top = new mp.Process(work.family, pids, 0).start();
  assert.ok(await until(() => pids[2] !== 0));
  const [, child, grandchild] = pids;
  assert.ok(runs(child) && runs(grandchild));
  const killed = performance.now();
  top.kill();
  assert.ok(await until(() => !runs(child) && !runs(grandchild), 5000));
  assert.ok(performance.now() - killed < 1000, `took ${performance.now() - killed} ms`);
  assert.equal(await top.join(), -9);
});

for (const [how, code] of [
  ['exit', 7],
  ['throw', 1],
]) {
  test(`so does one that ends by itself (${how})`, async () => {
    const pids = new mp.Array('i', 3);
    pids[0] = -1;
    const p = new mp.Process({ target: work.startAndExit, args: [pids, how], stdio: 'ignore' }).start();
    p.result().catch(() => {});
    assert.equal(await p.join(), code);
    assert.ok(await until(() => !runs(pids[1]) && !runs(pids[2]), 1000));
  });
}

test('children that have not come to their target yet end, too', async () => {
  const { spawn } = await import('node:child_process');
  const script = `
    import * as mp from ${JSON.stringify(new URL('../../lib/index.js', import.meta.url).href)};
    import * as work from ${JSON.stringify(new URL('./fixtures/work.mjs', import.meta.url).href)};
    const p = new mp.Process({ target: work.idle, stdio: 'ignore', execArgv: ['--import', 'data:text/javascript,for(;;);'] }).start();
    process.stdout.write(String(p.pid));
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = await new Promise((resolve) => parent.stdout.once('data', (text) => resolve(Number(text))));
  assert.ok(runs(pid));
  parent.kill('SIGKILL');
  assert.ok(await until(() => !runs(pid), 1000));
});

test('a detached one goes on', async () => {
  const pids = new mp.Array('i', 1);
  const starter = new mp.Process({ target: work.startDetached, args: [pids] }).start();
  const pid = await starter.result();
  starter.kill();
  await starter.join();
  await new Promise((resolve) => setTimeout(resolve, 700));
  assert.equal(pids[0], pid);
  assert.equal(runs(pid), true);
  process.kill(pid, 'SIGKILL');
  assert.ok(await until(() => !runs(pid), 2000));
});

test('terminate({ tree: true })', async () => {
  const pids = new mp.Array('i', 3);
  const top = new mp.Process(work.family, pids, 0).start();
  assert.ok(await until(() => pids[2] !== 0));
  top.terminate({ tree: true });
  assert.equal(await top.join(), -15);
  assert.ok(await until(() => !runs(pids[1]) && !runs(pids[2]), 1000));
});

test('parentProcess().joinSync() returns with the end of the parent', async () => {
  const word = new mp.RawValue('i', 0);
  const p = new mp.Process(work.waitForParent, word).start();
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(word.value, 0);
  assert.equal(p.isAlive(), true);
  p.kill();
  await p.join();
});

test('children of a worker thread end with it', async () => {
  const { Worker } = await import('node:worker_threads');
  const source = `
    const { workerData, parentPort } = require('node:worker_threads');
    Promise.all([import(workerData.lib), import(workerData.work)]).then(([mp, work]) => {
      const p = new mp.Process(work.idle).start();
      parentPort.postMessage(p.pid);
      setInterval(() => {}, 1000);
    });`;
  const worker = new Worker(source, {
    eval: true,
    workerData: {
      lib: new URL('../../lib/index.js', import.meta.url).href,
      work: new URL('./fixtures/work.mjs', import.meta.url).href,
    },
  });
  const pid = await new Promise((resolve) => worker.once('message', resolve));
  assert.ok(runs(pid));
  await worker.terminate();
  assert.ok(await until(() => !runs(pid), 1000));
});
