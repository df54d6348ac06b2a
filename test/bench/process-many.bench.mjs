// What do many processes at once cost, and one more beside many?
import { fork, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { getContext, setForkserverPreload } from 'multiproc';
import { hasPython, interleave, median, pythonPath } from './support.mjs';

const module = (name) => new URL(`targets/${name}.mjs`, import.meta.url);
const target = (name) => ({ module: module('stamp'), export: name });
const [forking, spawning] = [getContext('forkserver'), getContext('spawn')];

/** Milliseconds until all of them have run and ended. */
async function together(count, one) {
  const start = performance.now();
  await Promise.all(Array.from({ length: count }, one));
  return performance.now() - start;
}

const ours =
  ({ Process }) =>
  () =>
    new Process({ target: target('nothing'), stdio: 'ignore' }).start().join();

const forked = () => new Promise((done) => fork(module('forked-stamp')).on('exit', done));

function python(count) {
  if (!hasPython) return NaN;
  const program = fileURLToPath(new URL('targets/process_many.py', import.meta.url));
  return Number(spawnSync(pythonPath, [program, 'forkserver', String(count)], { encoding: 'utf8' }).stdout);
}

/** Milliseconds that start() and the way to the end of one more take while so many live. */
async function beside(count, samples) {
  const live = Array.from({ length: count }, () =>
    new forking.Process({ target: target('stay'), stdio: 'ignore' }).start(),
  );
  await Promise.all(live.map((p) => p.result().catch(() => {})));
  const times = [];
  for (let i = 0; i < samples; i++) times.push(await together(1, ours(forking)));
  for (const p of live) p.kill();
  await Promise.all(live.map((p) => p.join()));
  return median(times);
}

export async function bench({ smoke }) {
  setForkserverPreload([module('stamp')]);
  const [rounds, count, samples] = smoke ? [1, 3, 1] : [3, 200, 40];
  await ours(forking)();
  const all = await interleave(rounds, {
    forkserver: () => together(count, ours(forking)),
    spawn: () => together(count, ours(spawning)),
    fork: () => together(count, forked),
    python: () => python(count),
  });
  const rows = [
    {
      what: `${count} started at once, until all have ended`,
      unit: 'ms',
      ours: all.forkserver,
      peers: {
        'start method spawn': all.spawn,
        'child_process.fork': all.fork,
        'CPython forkserver': all.python,
      },
    },
  ];
  const alone = await beside(0, samples);
  for (const live of smoke ? [2] : [100, 500])
    rows.push({
      what: `start + join beside ${live} others`,
      unit: 'ms',
      ours: await beside(live, samples),
      peers: { 'beside none': alone },
    });
  return { title: 'many processes, start method forkserver', rows };
}
