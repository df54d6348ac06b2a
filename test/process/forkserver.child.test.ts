// What a forked child must mend, one test each: see src/process/forkserver/.
import { describe as group, expect, test } from 'vitest';
import { describe, fixtures, runJson as run, runScript as runFile } from '../support/child.js';
import { ends, endsOf } from '../support/forked-ends.js';

const url = (name: string) => new URL(name, fixtures).href;
const head = (preloads: boolean) => `
import * as mp from 'multiproc';
mp.setStartMethod('forkserver');
if (${preloads}) mp.setForkserverPreload(['${url('forked.mjs')}']);
const at = (name) => ({ module: '${url('forked.mjs')}', export: name });
const out = (value) => console.log(JSON.stringify(value));
const all = async (stream) => { let text = ''; for await (const chunk of stream) text += chunk; return text; };
`;
const env = { MULTIPROC_START_METHOD: 'forkserver' };

for (const preloads of [true, false]) {
  group(preloads ? 'preloaded' : 'loaded in the child', () => {
    const runJson = (source: string) => run(head(preloads) + source, { env });
    const runScript = (source: string) => runFile(head(preloads) + source, { env });

    test('it is itself: pid, parent, uptime, mask, umask, variables', async () => {
      const end = await runScript(`process.umask(0o27);
        const p = new mp.Process(at('identity')).start();
        const { pid, ...got } = await p.result();
        out([pid, got, got.ppid === process.pid, got.parent === process.pid]);`);
      expect(JSON.parse(end.stdout.trim().split('\n').at(-1)!), describe(end)).toMatchObject([
        true,
        {
          uptime: true,
          blocked: '0',
          ignored: true,
          umask: 0o27,
          uring: null,
          sockets: 1,
          loadedHere: !preloads,
        },
        true,
        true,
      ]);
      // What modules print while they load is seen, once.
      expect(end.stdout.match(/^loaded$/gm)).toHaveLength(1);
    });

    test('siblings share no random number and no UUID', async () => {
      const [count, distinct] = await runJson(`
        const drawn = await Promise.all(Array.from({ length: 40 }, () => mp.run(at('draws'), 100)));
        out([drawn.flat().length, new Set(drawn.flat()).size]);`);
      expect(count).toBe(40 * 700);
      expect(distinct).toBe(count);
    }, 90_000);

    test('its streams are the requester’s, of the kind these have', async () => {
      const got = await runJson(`
        const p = new mp.Process({ ...{ target: at('streams') }, stdio: 'pipe' }).start();
        p.stdin.end();
        out([await all(p.stdout), await all(p.stderr), await p.result()]);`);
      expect(got[0].replace('loaded\n', '')).toBe('out Socket 1 pipe\nmore\n');
      expect(got.slice(1)).toEqual(['err\n', ['Socket', 'Socket']]);
    });

    test('everything of Node works in it', async () => {
      const got = await runJson(`out(await mp.run(at('everything')));`);
      expect(got).toEqual({
        timer: 'timer', file: true, pool: 32, zip: true, hash: 64, dns: true, exec: 'yo', net: 'hi', fetch: 'ok',
        worker: [100000, 0], wasm: 5, imported: 'function', fork: 5, signal: 'SIGUSR2', garbage: 100000, process: 7, hooks: true,
      }); // prettier-ignore
    });

    test('it ends by every way with the right code, its listeners, all its output', async () => {
      expect(await runJson(endsOf("at('ends')", 'loaded\n'))).toEqual(ends);
    });

    test('a server that is old has children that end', async () => {
      const got = await runJson(`
        await mp.run(at('draws'), 1);
        await new Promise((resolve) => setTimeout(resolve, 9000)); // V8 collects garbage of idle programs after 8 s
        out(await Promise.all(Array.from({ length: 10 }, () => new mp.Process(at('draws'), 1).start().join())));`);
      expect(got).toEqual(Array(10).fill(0));
    });
  });
}
