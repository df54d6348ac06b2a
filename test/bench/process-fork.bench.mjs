// What does a process cost that is forked from the program itself, in a program started by `npx multiproc run`?
import { fork, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { asker, hasPython, interleave, pythonPath } from './support.mjs';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

const forked = () => {
  const start = process.hrtime.bigint();
  return new Promise((done) => {
    let line;
    fork(path('targets/forked-stamp.mjs'))
      .on('message', (stamp) => (line = Number(BigInt(stamp) - start) / 1e6))
      .on('exit', () => done(line));
  });
};

function pythonMany(count) {
  if (!hasPython) return NaN;
  const args = [path('targets/process_many.py'), 'fork', String(count)];
  return Number(spawnSync(pythonPath, args, { encoding: 'utf8' }).stdout);
}

export async function bench({ smoke }) {
  const ours = asker(process.execPath, [path('../../lib/entry/run.js'), 'run', path('targets/forking.mjs')]);
  const python = hasPython
    ? asker(pythonPath, [path('targets/process_stamp.py'), 'fork'])
    : { ask: async () => [NaN, NaN], end() {} };
  await ours.ask('one');
  await python.ask();
  const one = await interleave(smoke ? 1 : 25, {
    line: async () => (await ours.ask('one'))[0],
    joined: async () => (await ours.ask('one'))[1],
    pythonLine: async () => (await python.ask())[0],
    pythonJoined: async () => (await python.ask())[1],
    fork: forked,
  });
  const count = smoke ? 3 : 200;
  let memory;
  const many = await interleave(smoke ? 1 : 5, {
    ours: async () => {
      const [ms, mib] = await ours.ask(String(count));
      memory = mib;
      return ms;
    },
    python: () => pythonMany(count),
  });
  ours.end();
  python.end();
  return {
    title: 'a process, start method fork',
    rows: [
      {
        what: 'until its first line',
        unit: 'ms',
        ours: one.line,
        peers: { 'child_process.fork': one.fork, 'CPython fork': one.pythonLine },
      },
      { what: 'start + join', unit: 'ms', ours: one.joined, peers: { 'CPython fork': one.pythonJoined } },
      {
        what: `${count} started at once, until all have ended`,
        unit: 'ms',
        ours: many.ours,
        peers: { 'CPython fork': many.python },
      },
      { what: 'private memory of an idle one', unit: 'MiB', ours: memory },
    ],
  };
}
