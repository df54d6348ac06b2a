// How long until a process has run a function and is gone?
import { fork } from 'node:child_process';
import { Process, run } from 'multiproc';
import { hasPython, interleave, python } from './support.mjs';
import { nothing } from './targets/nothing.mjs';

const timed = async (body) => {
  const start = performance.now();
  await body();
  return performance.now() - start;
};

const pythonSource = `
import multiprocessing as m, time, sys
if __name__ == '__main__':
    m.set_start_method('spawn')
    from math import sqrt
    ts = []
    for i in range(3):
        t = time.perf_counter(); p = m.Process(target=sqrt, args=(1,)); p.start(); p.join()
        ts.append((time.perf_counter() - t) * 1000)
    print(sorted(ts)[1])
`;

export async function bench({ smoke }) {
  await run(nothing); // the first look-up of a function starts the inspector
  const target = new URL('targets/nothing.mjs', import.meta.url);
  const m = await interleave(smoke ? 1 : 15, {
    ours: () =>
      timed(async () => {
        const p = new Process(nothing).start();
        await p.join();
      }),
    result: () => timed(() => run(nothing)),
    fork: () => timed(() => new Promise((done) => fork(target).on('exit', done))),
    python: () => (hasPython ? python(pythonSource) : NaN),
  });
  return {
    title: 'a process, start method spawn',
    rows: [
      {
        what: 'start + join',
        unit: 'ms',
        ours: m.ours,
        peers: { 'child_process.fork + exit': m.fork, 'CPython spawn, start + join': m.python },
      },
      {
        what: 'run(fn): until its result',
        unit: 'ms',
        ours: m.result,
        peers: { 'child_process.fork + exit': m.fork },
      },
    ],
  };
}
