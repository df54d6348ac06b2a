// What happens to children when their parent ends, in every way it can.
import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { describe, eventually, fixtures, isRunning, scriptFile } from '../support/child.js';
import { forEachStartMethod } from '../support/start-methods.js';

const head = `
import * as mp from 'multiproc';
import * as tasks from '${new URL('../fixtures/tasks.mjs', import.meta.url).href}';
const piped = (target, more) => new mp.Process({ target, stdio: ['ignore', 'pipe', 'inherit'], ...more }).start();
const said = async (p) => { for await (const text of p.stdout) return String(text).trim(); };
`;

/** Milliseconds: on a machine that has nothing else to do it takes less than one second. */
const soon = 5_000;

forEachStartMethod(({ method, runScript, env, launcher }) => {
  /** Runs a script that prints pids, ends it with a signal once it has, and gives the pids. */
  async function endedBy(signal: NodeJS.Signals, source: string): Promise<number[]> {
    const parent = spawn(process.execPath, [...launcher, scriptFile(head + source)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    });
    const pids = await new Promise<number[]>((resolve, reject) => {
      let text = '';
      parent.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        const line = /^pids (.*)\n/m.exec(text);
        if (line) resolve(line[1]!.split(' ').map(Number));
      });
      parent.on('exit', (code) => reject(new Error(`ended early with ${code}: ${text}`)));
    });
    for (const pid of pids) expect(isRunning(pid)).toBe(true);
    parent.kill(signal);
    return pids;
  }

  test('children of a SIGKILLed parent end: idle, busy, stubborn, and grandchildren', async () => {
    const pids = await endedBy(
      'SIGKILL',
      `const all = [piped(tasks.idle), piped(tasks.busy), piped(tasks.stubborn), piped(tasks.family)];
    const words = await Promise.all(all.map(said));
    console.log('pids ' + words.join(' ').match(/\\d+/g).join(' '));
    setInterval(() => {}, 1000);`,
    );
    expect(pids).toHaveLength(5);
    await eventually('all are gone', () => pids.every((pid) => !isRunning(pid)), soon);
  });

  test('children of a SIGKILLed parent end, stopped ones too', async () => {
    const pids = await endedBy(
      'SIGKILL',
      `const p = piped(tasks.stops); await said(p); console.log('pids ' + p.pid); setInterval(() => {}, 1000);`,
    );
    await eventually('it is gone', () => pids.every((pid) => !isRunning(pid)));
  });

  for (const stopped of ['before', 'after']) {
    test.runIf(method === 'forkserver')(
      `children that are stopped ${stopped} their server is killed sleep on, and end with their parent`,
      async () => {
        const pids = await endedBy(
          'SIGKILL',
          `import { readFileSync } from 'node:fs';
        const stat = (pid) => readFileSync('/proc/' + pid + '/stat', 'latin1').split(') ').at(-1).split(' ');
        const until = async (done) => { while (!done()) await new Promise((next) => setTimeout(next, 5)); };
        const p = piped(tasks.idle); await said(p);
        const stop = () => { process.kill(p.pid, 'SIGSTOP'); return until(() => stat(p.pid)[0] === 'T'); };
        if (${stopped === 'before'}) await stop();
        const server = Number(stat(p.pid)[1]);
        process.kill(server, 'SIGKILL');
        await until(() => Number(stat(p.pid)[1]) !== server);
        if (${stopped === 'after'}) await stop();
        if (stat(p.pid)[0] !== 'T') throw new Error('it was woken');
        console.log('pids ' + p.pid); setInterval(() => {}, 1000);`,
        );
        await eventually('it is gone', () => pids.every((pid) => !isRunning(pid)));
      },
    );
  }

  test('half a second is for all generations together, not for each', async () => {
    const pids = await endedBy(
      'SIGKILL',
      `const p = piped(() => {}, { target: tasks.stubbornTree, args: [4] });
    let text = '';
    for await (const chunk of p.stdout) if ((text += chunk).match(/\\n/g)?.length === 5) break;
    console.log('pids ' + text.match(/\\d+/g).join(' ')); setInterval(() => {}, 1000);`,
    );
    const began = performance.now();
    expect(pids).toHaveLength(5);
    await eventually('all are gone', () => pids.every((pid) => !isRunning(pid)));
    expect(performance.now() - began).toBeLessThan(2000);
  });

  test.skipIf(method === 'fork')('a child that is still loading what --require names ends', async () => {
    const pids = await endedBy(
      'SIGKILL',
      `const p = new mp.Process({ target: tasks.never, execArgv: ['--require', '${new URL('preload/spins.cjs', fixtures).pathname}'] }).start();
    console.log('pids ' + p.pid); setInterval(() => {}, 1000);`,
    );
    await eventually('it is gone', () => pids.every((pid) => !isRunning(pid)));
  });

  test('children of a parent that a signal ends by default end', async () => {
    const pids = await endedBy(
      'SIGTERM',
      `const p = piped(tasks.busy); await said(p); console.log('pids ' + p.pid); setInterval(() => {}, 1000);`,
    );
    await eventually('it is gone', () => pids.every((pid) => !isRunning(pid)), soon);
  });

  test('detached children survive their parent', async () => {
    const pids = await endedBy(
      'SIGKILL',
      `import { openSync } from 'node:fs';
    const p = new mp.Process({ target: tasks.never, detached: true, stdio: 'ignore' }).start();
    const q = piped(tasks.idle); await said(q);
    console.log('pids ' + p.pid + ' ' + q.pid); setInterval(() => {}, 1000);`,
    );
    await eventually('the other one is gone', () => !isRunning(pids[1]!), soon);
    expect(isRunning(pids[0]!)).toBe(true);
    process.kill(pids[0]!, 'SIGKILL');
  });

  test('a detached child does not keep its parent alive, and has a session of its own', async () => {
    const end = await runScript(`${head}
    import { readFileSync } from 'node:fs';
    const p = new mp.Process({ target: tasks.never, detached: true, stdio: 'ignore' }).start();
    const stat = readFileSync('/proc/' + p.pid + '/stat', 'latin1');
    console.log(p.pid, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]) === p.pid);`);
    const [pid, session] = end.stdout.trim().split(' ');
    expect(end.code, describe(end)).toBe(0);
    expect(session).toBe('true');
    expect(isRunning(Number(pid))).toBe(true);
    process.kill(Number(pid), 'SIGKILL');
  });

  test('at the natural end children are waited for, and daemons ended', async () => {
    const end = await runScript(`${head}
    import { writeSync } from 'node:fs';
    const d = piped(tasks.idle, { daemon: true });
    await said(d);
    const p = new mp.Process(tasks.later, 5).start();
    process.on('exit', () => writeSync(1, JSON.stringify([p.exitCode, d.pid])));`);
    const [code, daemon] = JSON.parse(end.stdout);
    expect(code, describe(end)).toBe(0);
    expect(end.code).toBe(0);
    expect(isRunning(daemon)).toBe(false);
  });

  for (const [how, code] of [
    ['process.exit(5)', 5],
    ['throw new Error("uncaught on purpose")', 1],
  ] as const) {
    test(`children end with: ${how}`, async () => {
      const end = await runScript(`${head}
      const all = [piped(tasks.idle), piped(tasks.busy), piped(tasks.stubborn)];
      console.log((await Promise.all(all.map(said))).join(' ').match(/\\d+/g).join(' '));
      setTimeout(() => { ${how} }, 1);`);
      expect(end.code, describe(end)).toBe(code);
      const pids = end.stdout.trim().split(' ').map(Number);
      expect(pids).toHaveLength(3);
      expect(pids.filter(isRunning)).toEqual([]);
    });
  }

  test('children of a worker thread end with it: terminated, exited, naturally', async () => {
    const end = await runScript(`${head}
    import { isMainThread, Worker, parentPort, workerData } from 'node:worker_threads';
    if (isMainThread) {
      for (const how of ['terminate', 'exit', 'daemon']) {
        const worker = new Worker(new URL(import.meta.url), { workerData: how });
        const gone = new Promise((resolve) => worker.on('exit', resolve));
        const pid = await new Promise((resolve, reject) => { worker.on('message', resolve); worker.on('error', reject); });
        if (how === 'terminate') await worker.terminate(); else worker.postMessage('go');
        await gone;
        console.log(how, pid);
      }
      const p = new mp.Process(tasks.square, 4).start();
      console.log('after', await p.result());
    } else {
      const p = piped(tasks.idle, { daemon: workerData === 'daemon' });
      await said(p);
      parentPort.postMessage(p.pid);
      await new Promise((resolve) => parentPort.once('message', resolve));
      if (workerData === 'exit') process.exit(0);
    }`);
    expect(end.code, describe(end)).toBe(0);
    const pids = [...end.stdout.matchAll(/^(terminate|exit|daemon) (\d+)$/gm)].map((m) => Number(m[2]));
    expect(pids, describe(end)).toHaveLength(3);
    expect(pids.filter(isRunning)).toEqual([]);
    expect(end.stdout).toContain('after 16');
  });

  test('terminate({ tree }) ends descendants, detached ones too', async () => {
    const end = await runScript(`${head}
    const p = piped(tasks.family);
    const pids = (await said(p)).match(/\\d+/g);
    p.terminate({ tree: true });
    await p.join();
    console.log(pids.join(' '));`);
    const pids = end.stdout.trim().split(' ').map(Number);
    expect(pids, describe(end)).toHaveLength(2);
    await eventually('both are gone', () => pids.every((pid) => !isRunning(pid)), soon);
  });

  test('an uncaught error prints its stack under the name of the process', async () => {
    const end = await runScript(`${head}
    const codes = [];
    for (const kind of ['custom', 'later', 'rejection', 'string']) {
      const p = new mp.Process({ target: tasks.throws, args: [kind], name: 'thrower of ' + kind }).start();
      const error = await p.result().catch((e) => e);
      codes.push([await p.join(), error instanceof tasks.Custom || error]);
    }
    console.log(JSON.stringify(codes));`);
    expect(JSON.parse(end.stdout)).toEqual([
      [1, true],
      [1, true],
      [1, true],
      [1, 'text'],
    ]);
    expect(end.stderr).toMatch(
      /Process thrower of custom:\nCustom(?: \[Error\])?: custom 7\n {4}at throws .*tasks\.mjs/,
    );
    expect(end.stderr).toMatch(/Process thrower of later:\n[^]*Custom: custom 8/);
    expect(end.stderr).toMatch(/Process thrower of rejection:\n[^]*Custom: custom 9/);
    expect(end.stderr).toContain('Process thrower of string:\ntext\n');
  });

  test('arguments that fail to open in the child: the error is told, and printed under its name', async () => {
    const end = await runScript(`${head}
    const shm = new mp.SharedMemory({ name: 'gone-' + process.pid, size: 64, create: true });
    mp.SharedMemory.delete(shm.name);
    const p = new mp.Process({ target: tasks.type, args: [shm], name: 'opener' }).start();
    console.log(JSON.stringify([await p.result().catch((e) => e.code), await p.join()]));`);
    // A fork has it open.
    if (method === 'fork') {
      expect(JSON.parse(end.stdout)).toEqual(['object', 0]);
      return;
    }
    expect(JSON.parse(end.stdout)).toEqual(['ERR_MP_NOT_FOUND', 1]);
    expect(end.stderr).toMatch(/^Process opener:\nMultiprocessingError: .*nothing of that name/);
  });

  test('a blocking join is interrupted by a signal with a listener, and ended by one without', async () => {
    const end = await runScript(`${head}
    import { spawn } from 'node:child_process';
    const p = new mp.Process(tasks.never).start();
    let heard = 0;
    process.on('SIGINT', () => { heard++; p.kill(); });
    // Again and again: one of them comes while we block, however late we begin to.
    const sender = spawn('sh', ['-c', 'while kill -INT ' + process.pid + '; do sleep 0.1; done'], { stdio: 'ignore' });
    try { p.joinSync(); console.log('joined'); } catch (e) { console.log(e.name, e.code, heard); }
    sender.kill('SIGKILL');
    while (heard === 0) await new Promise(setImmediate);
    p.joinSync();
    console.log('joined', p.exitCode);`);
    expect(end.stdout, describe(end)).toBe('InterruptedError ERR_MP_INTERRUPTED 0\njoined -9\n');
    const other = await runScript(`${head}
    import { spawn } from 'node:child_process';
    const p = new mp.Process(tasks.never).start();
    spawn('sh', ['-c', 'while kill -INT ' + process.pid + '; do sleep 0.1; done'], { stdio: 'ignore' });
    p.joinSync();`);
    expect([other.code, other.signal], describe(other)).toEqual([null, 'SIGINT']);
  });
});
