// Connections that block their thread: between processes, under signals, beside what goes on asynchronously.
import { spawn } from 'node:child_process';
import { describe as group, expect, test } from 'vitest';
import { runJson, scriptFile } from '../support/child.js';
import { socketHead } from '../support/sockets.js';

const eof = 'ClosedError ERR_MP_EOF';
const brokenPipe = 'ClosedError ERR_MP_BROKEN_PIPE';
/** A peer process that runs `body` with the address and mp; its stdout comes line by line. */
const head = `${socketHead}
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
const peer = (body, address) => {
  const p = spawn(process.execPath, ['--input-type=module', '-e', \`import * as mp from 'multiproc'; const address = \${JSON.stringify(address)}; \${body}\`], { cwd: ${JSON.stringify(process.cwd())}, stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: p.stdout })[Symbol.asyncIterator]();
  return { pid: p.pid, line: async () => (await lines.next()).value, kill: () => p.kill('SIGKILL'), ended: new Promise((r) => p.on('exit', (code, signal) => r(signal ?? code))) };
};
`;

group.each(['undefined', 'tcp'])('listening at %s', (place) => {
  test.each(['sync', 'async'])('two processes talk, one of them %s', async (form) => {
    const echo = {
      sync: `const c = mp.ClientSync(address, { authkey: 'k' }); for (let v; (v = c.recvSync()) !== null; ) c.sendSync([v]); c.sendBytesSync(Buffer.alloc(3e6, 1)); c.close();`,
      async: `const c = await mp.Client(address, { authkey: 'k' }); for await (const v of c) { if (v === null) break; await c.send([v]); } await c.sendBytes(Buffer.alloc(3e6, 1)); c.close();`,
    }[form]!;
    const got = await runJson(`${head}
      const l = await mp.Listener(${place}, { authkey: 'k' });
      const p = peer(${JSON.stringify(echo)}, l.address);
      const c = l.acceptSync({ timeout: 20_000 });
      const got = [];
      for (const v of [1, 'two', { three: [3] }]) { c.sendSync(v); got.push(c.recvSync({ timeout: 20_000 })); }
      c.sendSync(null);
      const big = Buffer.alloc(3e6);
      got.push(c.recvBytesIntoSync(big), big.every((b) => b === 1), c.pollSync(Infinity), thrown(() => c.recvSync()), await p.ended);
      l.close();
      out(got);`);
    expect(got).toEqual([[1], ['two'], [{ three: [3] }], 3_000_000, true, true, eof, 0]);
  });

  test('the death of a peer ends whoever waits for it, in the middle of whatever', async () => {
    const got = await runJson(`${head}
      const got = [];
      for (const [body, wait] of [
        ['setInterval(() => {}, 1e6);', (c) => c.recvSync()],
        ['setInterval(() => {}, 1e6);', (c) => c.pollSync(Infinity)],
        ['setInterval(() => {}, 1e6);', (c) => c.sendBytesSync(Buffer.alloc(50e6))],
        // In the middle of a long message: nobody reads all of it.
        ['c.sendBytes(Buffer.alloc(50e6)); setInterval(() => {}, 1e6);', (c) => { for (;;) c.recvBytesSync(); }],
      ]) {
        const l = await mp.Listener(${place});
        const p = peer('const c = await mp.Client(address); console.log("up"); ' + body, l.address);
        const c = l.acceptSync();
        await p.line();
        // While this thread blocks.
        spawn('sh', ['-c', 'sleep 0.2; kill -9 ' + p.pid], { stdio: 'ignore' });
        let result;
        try { result = wait(c); } catch (e) { result = nameOf(e); }
        got.push(result);
        c.close(); l.close();
        await p.ended;
      }
      out(got);`);
    expect(got.slice(0, 3)).toEqual([eof, true, brokenPipe]);
    expect(got[3]).toBe(eof);
  });
});

test('blocking calls serve those who wait asynchronously first, and end no later for it', async () => {
  const got = await runJson(`${head}
    const l = await mp.Listener();
    const p = peer("const c = mp.ClientSync(address); for (let i = 1; i <= 4; i++) c.sendSync(i); c.recvSync(); c.sendSync('big ' + c.recvBytesSync().length); c.close();", l.address);
    const c = await l.accept();
    const order = [], first = c.recv(), second = c.recvBytes();
    order.push(c.recvSync(), await first, (await second).length > 0);
    const big = c.sendBytes(Buffer.alloc(2e6)); // stands in line behind nobody; the next waits for it
    await c.send('go').catch(() => 0);
    order.push(await c.recv());
    out([order, await p.ended]);`);
  expect(got[0].slice(0, 3)).toEqual([3, 1, true]);
});

group.each(['SIGINT', 'SIGTERM'] as const)('%s', (signal) => {
  test('with a listener ends a blocking call by an InterruptedError, in time; nothing is lost by it', async () => {
    const got = await runJson<[string[], number, unknown[]]>(`${head}
      const l = await mp.Listener(), m = await mp.Listener({ backlog: 1 });
      const [a, c] = await Promise.all([l.accept(), mp.Client(l.address)]);
      for (;;) { const stuck = await mp.Client(m.address, { timeout: 50 }).catch(() => null); if (stuck === null) break; }
      const got = [];
      let heard = 0, quickest = Infinity;
      process.on('${signal}', () => heard++);
      const big = Buffer.alloc(1e6, 5);
      const calls = [() => a.recvSync(), () => a.pollSync(1e6), () => a.recvBytesSync(null, { timeout: 1e6 }), () => l.acceptSync(), () => mp.ClientSync(m.address), () => c.sendBytesSync(big)];
      for (const call of calls) {
        // From outside, when this thread sleeps in the kernel; it writes down when it sent the signal.
        const sender = spawn(process.execPath, ['-e', \`
          const { readFileSync } = require('node:fs');
          let calm = 0;
          (function look() {
            const stat = readFileSync('/proc/\${process.pid}/task/\${process.pid}/stat', 'latin1');
            calm = /^S/.test(stat.slice(stat.lastIndexOf(')') + 2)) ? calm + 1 : 0;
            if (calm < 10) return setTimeout(look, 5);
            const now = process.hrtime.bigint();
            process.kill(\${process.pid}, '${signal}');
            console.log(String(now));
          })()\`], { stdio: ['ignore', 'pipe', 'inherit'] });
        let text = '';
        sender.stdout.on('data', (t) => (text += t));
        const ended = new Promise((resolve) => sender.on('close', resolve));
        got.push(thrown(call) + ' ' + heard);
        const now = process.hrtime.bigint();
        await ended;
        quickest = Math.min(quickest, Number(now - BigInt(text.trim())) / 1e6);
        await until(() => heard === got.length);
      }
      // The message that was interrupted in its middle arrives; the connection is as good as before.
      big.fill(6);
      const message = await a.recvBytes();
      await c.send('next');
      const fine = [message.length, message.every((b) => b === 5), await a.recv()];
      process.stdout.write(JSON.stringify([got, quickest, fine]) + '\\n');
      process.exit(0);`);
    expect(got[0]).toEqual([0, 1, 2, 3, 4, 5].map((n) => `InterruptedError ERR_MP_INTERRUPTED ${n}`));
    // The promise is 100 ms. A loaded machine may take longer to run us, but not every time.
    expect(got[1]).toBeLessThan(100);
    expect(got[2]).toEqual([1_000_000, true, 'next']);
  });

  test('without a listener ends the process, however it waits', async () => {
    for (const call of ['a.recvSync()', 'await a.recv()', 'l.acceptSync()', 'await l.accept()']) {
      const script = scriptFile(
        `${socketHead} const l = await mp.Listener(tcp); const [a, c] = await Promise.all([l.accept(), mp.Client(l.address)]); process.stdout.write('up'); ${call};`,
      );
      const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
      const watchdog = setTimeout(() => child.kill('SIGKILL'), 20_000);
      child.stdout.once('data', () => child.kill(signal));
      const end = await new Promise((resolve) => child.on('close', (code, sig) => resolve([code, sig])));
      clearTimeout(watchdog);
      expect(end, call).toEqual([null, signal]);
    }
  });
});

test('a worker thread that blocks in a call, or waits in one, can be terminated; its descriptors go with it', async () => {
  const got = await runJson(`${socketHead}
    import { Worker } from 'node:worker_threads';
    import { once } from 'node:events';
    let before = Infinity;
    // The first one opens what Node has for all.
    const bodies = ['c.close()', 'c.recvSync()', 'c.recv()', 'l.acceptSync()', 'l.accept()', 'for (;;) c.sendBytesSync(Buffer.alloc(1e6))', 'mp.Client(l.address).then(() => mp.Client(l.address, { authkey: "k" }))'];
    for (const body of bodies) {
      const w = new Worker(\`
        const mp = require('multiproc'), { parentPort } = require('node:worker_threads');
        (async () => {
          const l = await mp.Listener(), [a, c] = await Promise.all([l.accept(), mp.Client(l.address)]);
          parentPort.postMessage('up');
          setImmediate(() => { \${body} });
        })()\`, { eval: true });
      await once(w, 'message');
      await new Promise((r) => setTimeout(r, 50));
      await w.terminate();
      if (before === Infinity) before = descriptors();
    }
    await until(() => descriptors() <= before);
    out('gone');`);
  expect(got).toBe('gone');
});

test('a pending call keeps the process alive, an open connection does not', async () => {
  const got = await runJson(`${socketHead}
    const l = await mp.Listener(), [a, c] = await Promise.all([l.accept(), mp.Client(l.address)]);
    // Nothing but the pending call is there to wait for when the message is sent, by another process.
    const { spawn } = await import('node:child_process');
    const child = spawn(process.execPath, ['--input-type=module', '-e', "import * as mp from 'multiproc'; const c = await mp.Client(" + JSON.stringify(l.address) + "); await c.send('late')"], { cwd: ${JSON.stringify(process.cwd())}, stdio: 'ignore' });
    child.unref();
    const late = await (await l.accept()).recv();
    await a.poll(1);
    out(late);
    // Ends now, with l, a and c open.`);
  expect(got).toBe('late');
});
