// Whatever a child writes arrives, however slowly it is read and whatever others do with the same descriptor.
import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { fixtures, scriptFile } from '../support/child.js';
import { forEachStartMethod } from '../support/start-methods.js';

const head = `
import * as mp from 'multiproc';
import * as output from '${new URL('output.mjs', fixtures).href}';
`;
const lines = 4000;
/** Until then a child has written what fits, and its parent has used the stream for the first time. */
const readAfterMs = 1800;

/** What a program's standard output is. Nobody reads it at first. */
const outputs = { pipe: ['sh', '-c', '"$@" | (sleep 1.8; cat)', 'sh'], socket: [] };

async function readLate(kind: keyof typeof outputs, args: string[], env: object): Promise<[string, string]> {
  const [command, ...rest] = [...outputs[kind], process.execPath, ...args];
  const child = spawn(command!, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let text = '';
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (errors += chunk));
  await new Promise((resolve) => setTimeout(resolve, readAfterMs));
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await new Promise((resolve) => child.on('close', resolve));
  return [text, errors];
}

forEachStartMethod(({ method, runScript, env, launcher }) => {
  for (const kind of Object.keys(outputs) as (keyof typeof outputs)[]) {
    // Node makes it non-blocking at the first use, for all who have it: before a fork, or while the child is writing.
    test(`a slow reader of a ${kind} gets all of it, though the parent writes there, too`, async () => {
      const file = scriptFile(`${head}
        const say = () => console.log('parent');
        ${method === 'fork' ? 'say();' : 'setTimeout(say, 700);'}
        const p = new mp.Process(output.lines, ${lines}).start();
        process.stderr.write('code ' + await p.join());`);
      const [text, errors] = await readLate(kind, [...launcher, file], env);
      expect(errors).toBe('code 3');
      // The parent's line may be in the middle of one of the child's.
      const parts = text.split('parent\n');
      expect(parts).toHaveLength(2);
      const own = parts.join('');
      expect(own.match(/^line \d+ y{80}$/gm)).toHaveLength(lines);
      expect(own.match(/^(x{500000}|last)$/gm)).toHaveLength(2);
    });
  }

  test('streams have the manners of Node’s: encodings, order, callbacks, drain', async () => {
    const end = await runScript(`${head}
      process.stderr.write(JSON.stringify(await mp.run(output.manners, ${method !== 'fork'})));`);
    expect(end.stdout).toBe(`hi\n\u00e9\nx\ny\n\u00e9z\n${'z'.repeat(100000)}\n`);
    const written = method === 'fork' ? 0 : 100015;
    expect(JSON.parse(end.stderr)).toEqual([null, 1, 0, written]);
  });
});

forEachStartMethod(
  ({ method, runScript, env, launcher }) => {
    const preload = `mp.setForkserverPreload(['${new URL('output.mjs', fixtures).href}']);`;
    const preloads = `${head} ${method === 'fork' ? '' : preload}`;

    test('a stream that a module has kept, in a server or the parent, is the child’s', async () => {
      const end = await runScript(`${preloads}
        process.stderr.write(JSON.stringify(await mp.run(output.manners, false)));`);
      expect(end.stdout).toBe(`hi\n\u00e9\nx\ny\n\u00e9z\n${'z'.repeat(100000)}\n`);
      expect(JSON.parse(end.stderr)).toEqual([null, 1, 0, 0]);
    });

    for (const kind of Object.keys(outputs) as (keyof typeof outputs)[]) {
      test(`and loses nothing, either: ${kind}`, async () => {
        const file = scriptFile(`${preloads}
          console.log('parent');
          process.stderr.write('code ' + await new mp.Process(output.keptLines, ${lines}).start().join());`);
        const [text, errors] = await readLate(kind, [...launcher, file], env);
        expect(errors).toBe('code 3');
        expect(text.match(/^line \d+ y{80}$/gm)).toHaveLength(lines);
        expect(text.match(/^last$/gm)).toHaveLength(1);
      });
    }
  },
  ['forkserver', 'fork'],
);
