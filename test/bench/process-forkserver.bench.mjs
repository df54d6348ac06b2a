// What does a process cost when a forkserver has its modules loaded?
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { getContext, setForkserverPreload } from 'multiproc';
import { asker, hasPython, interleave, median, pythonPath } from './support.mjs';

const module = (name) => new URL(`targets/${name}.mjs`, import.meta.url);
const forking = getContext('forkserver');
const spawning = getContext('spawn');
const since = (start, stamp) => Number(BigInt(stamp) - start) / 1e6;

/** Until the first line of user code. */
async function ours({ Process }, name) {
  const start = process.hrtime.bigint();
  const p = new Process({
    target: { module: module(name), export: 'stamp' },
    stdio: ['ignore', 'pipe', 'inherit'],
  }).start();
  let text = '';
  for await (const chunk of p.stdout) text += chunk;
  await p.join();
  return since(start, text);
}

async function joined({ Process }, name) {
  const start = performance.now();
  await new Process({ target: { module: module(name), export: 'stamp' }, stdio: 'ignore' }).start().join();
  return performance.now() - start;
}

function forked(...args) {
  const start = process.hrtime.bigint();
  return new Promise((done) => {
    const child = fork(module('forked-stamp'), args);
    let line;
    child.on('message', (stamp) => (line = since(start, stamp))).on('exit', () => done(line));
  });
}

/** Private memory of one more idle process, MiB. */
async function memory({ Process }, name) {
  const all = Array.from({ length: 4 }, () =>
    new Process({ target: { module: module(name), export: 'stay' }, stdio: 'ignore' }).start(),
  );
  await Promise.all(all.map((p) => p.result().catch(() => {})));
  const sizes = all.map(({ pid }) => {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return (
      [...rollup.matchAll(/^Private_\w+:\s+(\d+)/gm)].reduce((sum, [, kib]) => sum + Number(kib), 0) / 1024
    );
  });
  for (const p of all) p.kill();
  await Promise.all(all.map((p) => p.join()));
  return median(sizes);
}

/** CPython: [ms until a process's first line, ms until its join]. */
function askPython() {
  const program = fileURLToPath(new URL('targets/process_stamp.py', import.meta.url));
  return hasPython ? asker(pythonPath, [program, 'forkserver']) : { ask: async () => [NaN, NaN], end() {} };
}

export async function bench({ smoke }) {
  setForkserverPreload([module('stamp'), module('stamp-typescript')]);
  const rounds = smoke ? 1 : 25;
  await ours(forking, 'stamp');
  const { ask, end } = askPython();
  await ask();
  const empty = await interleave(rounds, {
    ours: () => ours(forking, 'stamp'),
    joined: () => joined(forking, 'stamp'),
    spawn: () => ours(spawning, 'stamp'),
    fork: () => forked(),
    python: async () => (await ask())[0],
    pythonJoined: async () => (await ask())[1],
  });
  end();
  const typescript = await interleave(smoke ? 1 : 9, {
    ours: () => ours(forking, 'stamp-typescript'),
    spawn: () => ours(spawning, 'stamp-typescript'),
    fork: () => forked('typescript'),
  });
  return {
    title: 'a process, start method forkserver',
    rows: [
      {
        what: 'until its first line, empty',
        unit: 'ms',
        ours: empty.ours,
        peers: {
          'start method spawn': empty.spawn,
          'child_process.fork': empty.fork,
          'CPython forkserver': empty.python,
        },
      },
      {
        what: 'until its first line, with typescript',
        unit: 'ms',
        ours: typescript.ours,
        peers: { 'start method spawn': typescript.spawn, 'child_process.fork': typescript.fork },
      },
      {
        what: 'start + join',
        unit: 'ms',
        ours: empty.joined,
        peers: { 'CPython forkserver': empty.pythonJoined },
      },
      {
        what: 'private memory of an idle one',
        unit: 'MiB',
        ours: await memory(forking, 'stamp'),
        peers: { 'start method spawn': await memory(spawning, 'stamp') },
      },
      {
        what: 'the same with typescript',
        unit: 'MiB',
        ours: await memory(forking, 'stamp-typescript'),
        peers: { 'start method spawn': await memory(spawning, 'stamp-typescript') },
      },
    ],
  };
}
