// How long until a pool's workers are there?
import { best, label } from './pools.mjs';
import { freshNode, freshPython, hasPython, median } from './support.mjs';

/** [until ready, until each worker has run a task] of the first pool of a program, and the medians of those after it. */
function start(pool, workers, count, startMethod) {
  const setting = best(pool, [workers]);
  if (pool === 'piscina' || pool === 'tinypool') setting.options = {};
  const isPython = pool === 'multiprocessing.Pool';
  if (isPython && !hasPython) return { first: [NaN, NaN], next: [NaN, NaN] };
  const request = JSON.stringify({ setting, count, startMethod });
  const [first, ...others] = isPython ? freshPython('pool_start', request) : freshNode('pool-start', request);
  const next = [0, 1].map((i) => median(others.map((times) => times[i])));
  return { first, next };
}

export async function bench({ smoke }) {
  const [rounds, count, workers, many] = smoke ? [1, 2, 1, 2] : [5, 6, 8, 200];
  const contenders = [
    ['Pool'],
    ['Pool', 'forkserver', "Pool, after setStartMethod('forkserver')"],
    ['Pool', 'spawn', "Pool, after setStartMethod('spawn')"],
    ['ThreadPool'],
    ['piscina'],
    ['tinypool'],
    ['workerpool'],
    ['jest-worker'],
    ['poolifier'],
    ['multiprocessing.Pool', 'fork', "CPython's Pool, fork"],
    ['multiprocessing.Pool', 'forkserver', "CPython's Pool, forkserver"],
  ].map(([pool, startMethod, name = label(pool)]) => ({
    pool,
    startMethod,
    name,
    firsts: [],
    nexts: [],
    manys: [],
  }));
  for (let round = 0; round < rounds; round++)
    for (const { pool, startMethod, firsts, nexts } of contenders) {
      const { first, next } = start(pool, workers, count, startMethod);
      firsts.push(first);
      nexts.push(next);
    }
  // The second pool of the program, as processes are forked from a server that is up by then.
  const startsMany = contenders
    .filter(({ name }) => !/spawn|workerpool|jest|poolifier/.test(name))
    .slice(0, smoke ? 2 : Infinity);
  for (let round = 0; round < Math.min(3, rounds); round++)
    for (const { pool, startMethod, manys } of startsMany) manys.push(start(pool, many, 2, startMethod).next);

  const [ours, ...peers] = contenders;
  const middle = (values, i) => median(values.map((value) => value[i]));
  const row = (what, of, i, who, goal) => ({
    what,
    unit: 'ms',
    goal,
    ours: middle(ours[of], i),
    peers: Object.fromEntries(who.map((peer) => [peer.name, middle(peer[of], i)])),
  });
  const own = peers.filter(({ name }) => /Pool$|setStart/.test(name));
  const others = startsMany.slice(1);
  return {
    title: 'start of a pool',
    rows: [
      row(`${workers} workers until ready(), not the first pool`, 'nexts', 0, own, '≤ 50'),
      row('the same, the first pool of a program', 'firsts', 0, own),
      row(`${workers} workers until each has run a task, not the first pool`, 'nexts', 1, peers),
      row('the same, the first pool of a program', 'firsts', 1, peers),
      row(
        `${many} workers until ready(), not the first pool`,
        'manys',
        0,
        others.filter((p) => own.includes(p)),
      ),
      row(`${many} workers until each has run a task, not the first pool`, 'manys', 1, others),
    ],
  };
}
