import { readFileSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describe, fixtures } from '../support/child.js';
import { forEachStartMethod } from '../support/start-methods.js';

const head = `
import { closeSync, openSync, readlinkSync, writeSync } from 'node:fs';
import * as mp from 'multiproc';
import * as tasks from '${new URL('tasks.mjs', fixtures).href}';
const failure = (stdio) => {
  try { new mp.Process({ target: tasks.prints, stdio }).start(); return 'started' } catch (e) { return [e.name, e.code, e.errno] }
};
// The arena, and later starts, are whole.
const goesOn = async () => {
  const lock = new mp.Lock(); const got = lock.acquireSync({ timeout: 5 }); lock.release();
  return [got !== null, await mp.run(tasks.square, 3), await new mp.Process({ target: tasks.prints, stdio: 'ignore' }).start().join()];
};
`;

forEachStartMethod(({ runScript, runJson }) => {
  test('a descriptor that is not open is EBADF, and no number of ours', async () => {
    const got = await runJson(`${head}
    const open = () => openSync('/dev/null', 'a');
    const first = [open(), open(), open(), open()]; for (const fd of first) closeSync(fd);
    const fresh = first.map((fd) => failure(['ignore', fd, 'inherit']));
    // Here the arena gets the number.
    const stale = open(); closeSync(stale); new mp.Lock();
    // Here the letter of a running child does.
    await mp.run(tasks.square, 1);
    const older = open(); closeSync(older); const running = new mp.Process(tasks.idle).start();
    const later = [stale, { fd: stale }, older].map((item) => failure(['ignore', item, 'inherit']));
    running.kill();
    console.log(JSON.stringify([fresh, later, await goesOn()]));`);
    const refused = ['ProcessError', 'ERR_MP_START', 'EBADF'];
    expect(got).toEqual([Array(4).fill(refused), Array(3).fill(refused), [true, 9, 0]]);
  });

  for (const closed of ['1', '0, 1, 2']) {
    test(`streams that the program has closed: children write nowhere, nothing of ours lies there: ${closed}`, async () => {
      const file = join(tmpdir(), `multiproc-stdio-${process.pid}`);
      const end = await runScript(
        `${head}
        const result = openSync(process.argv[2], 'w');
        for (const fd of [${closed}]) closeSync(fd);
        const each = [];
        for (let i = 0; i < 2; i++) { const p = new mp.Process(tasks.prints).start(); each.push(await p.result(), await p.join()) }
        const ours = [new mp.Lock(), new mp.Queue(), mp.Pipe()], running = new mp.Process(tasks.idle).start();
        const there = [${closed}].map((fd) => { try { return readlinkSync('/proc/self/fd/' + fd) } catch (e) { return e.code } });
        running.kill(); await running.join();
        writeSync(result, JSON.stringify([each, there, ours.length, await goesOn()]));`,
        { args: [file] },
      );
      const got = readFileSync(file, 'utf8');
      unlinkSync(file);
      expect([end.code, end.signal], describe(end)).toEqual([0, null]);
      const none = closed.split(', ').map(() => 'ENOENT');
      expect(JSON.parse(got)).toEqual([['printed', 0, 'printed', 0], none, 3, [true, 9, 0]]);
    });
  }

  test('numbers that no descriptor has are refused as such', async () => {
    const got = await runJson(`${head}
    console.log(JSON.stringify([-1, 1.5, 2 ** 31, 2 ** 32 + 1, 2 ** 31 - 1].map((fd) => failure(['ignore', fd, 'inherit']))));`);
    const refused = ['TypeError', 'ERR_MP_TYPE', null];
    expect(got).toEqual([refused, refused, refused, refused, ['ProcessError', 'ERR_MP_START', 'EBADF']]);
  });
});
