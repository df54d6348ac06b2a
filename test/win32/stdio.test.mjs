// Standard streams of children.
import { closeSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as work from './fixtures/work.mjs';
import { assert, mp, test, textOf } from './support.mjs';

test('pipes: what is written arrives, on both streams', async () => {
  const p = new mp.Process({
    target: work.say,
    args: ['out ä\n', 'err ö\n'],
    stdio: ['ignore', 'pipe', 'pipe'],
  }).start();
  const [out, err] = await Promise.all([textOf(p.stdout), textOf(p.stderr)]);
  assert.equal(out, 'out ä\n');
  assert.equal(err, 'err ö\n');
  assert.equal(p.stdin, null);
  assert.equal(await p.join(), 0);
});

test('pipes: 2 MB and an exit() at once', async () => {
  const p = new mp.Process({
    target: work.sayMuchAndExit,
    args: [2_000_000],
    stdio: ['ignore', 'pipe', 'inherit'],
  }).start();
  assert.equal((await textOf(p.stdout)).length, 2_000_000);
  assert.equal(await p.join(), 3);
});

test('pipes: standard input', async () => {
  const p = new mp.Process({ target: work.shout, stdio: ['pipe', 'pipe', 'inherit'] }).start();
  p.stdin.write('hello ');
  p.stdin.end('world');
  assert.equal(await textOf(p.stdout), 'HELLO WORLD');
  assert.equal(await p.join(), 0);
});

test('ignore', async () => {
  const p = new mp.Process({ target: work.say, args: ['nobody', 'hears'], stdio: 'ignore' }).start();
  assert.equal(await p.join(), 0);
  assert.deepEqual([p.stdin, p.stdout, p.stderr], [null, null, null]);
  const empty = new mp.Process({ target: work.shout, stdio: ['ignore', 'pipe', 'inherit'] }).start();
  assert.equal(await textOf(empty.stdout), '');
});

test("a descriptor of Node's", async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'multiproc-')), 'out.txt');
  const fd = openSync(file, 'w');
  const p = new mp.Process({
    target: work.say,
    args: ['into a file', 'x'],
    stdio: ['ignore', fd, 'ignore'],
  }).start();
  closeSync(fd);
  assert.equal(await p.join(), 0);
  assert.equal(readFileSync(file, 'utf8'), 'into a file');
});

test('inherit', async () => {
  const { spawn } = await import('node:child_process');
  const script = `
    import * as mp from ${JSON.stringify(new URL('../../lib/index.js', import.meta.url).href)};
    import * as work from ${JSON.stringify(new URL('./fixtures/work.mjs', import.meta.url).href)};
    const p = new mp.Process({ target: work.say, args: ['from the child', 'its errors'], stdio: 'inherit' }).start();
    process.exitCode = await p.join();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  assert.equal(out, 'from the child');
  assert.match(err, /its errors/);
});

test('what nobody caught is printed under the name of the process', async () => {
  const p = new mp.Process({
    target: work.failDeeply,
    name: 'Fails',
    stdio: ['ignore', 'ignore', 'pipe'],
  }).start();
  p.result().catch(() => {});
  const err = await textOf(p.stderr);
  assert.match(err, /^Process Fails:\r?\nOdd: it was odd\r?\n.*failDeeply/s);
});
