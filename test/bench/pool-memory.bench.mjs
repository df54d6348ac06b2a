// How much memory do many tasks take that were handed in at once, and how much of it is given back?
import { best, label, otherPools, stepper } from './pools.mjs';
import { median, memoryOf, peakMemory, processTree } from './support.mjs';

/** MiB of the program and its workers above what they had before: the most during the tasks, and a second after. */
async function memory(setting, count, restMs) {
  const { pid, step, end } = stepper(setting);
  await step('open');
  await step('burst', 'echo', 200, 1);
  await step('rest', restMs / 5);
  const pids = processTree(pid);
  const idle = memoryOf(pids);
  const peak = await peakMemory(pids, step('burst', 'echo', count, 1));
  await step('rest', restMs);
  const after = memoryOf(pids);
  await step('end');
  end();
  // Less than this is what a look differs from the next.
  return { peak: Math.max(0.5, peak - idle), after: Math.max(0.5, after - idle) };
}

export async function bench({ smoke }) {
  const [rounds, count, workers, restMs] = smoke ? [1, 100, 2, 10] : [5, 100_000, 4, 1000];
  const contenders = ['Pool', 'ThreadPool', ...otherPools].map((pool) => ({
    setting: best(pool, [workers]),
    peaks: [],
    afters: [],
  }));
  for (let round = 0; round < rounds; round++)
    for (const { setting, peaks, afters } of contenders) {
      const { peak, after } = await memory(setting, count, restMs);
      peaks.push(peak);
      afters.push(after);
    }
  const [ours, ...peers] = contenders;
  const row = (what, of, goal) => ({
    what,
    unit: 'MiB',
    goal,
    ours: median(ours[of]),
    peers: Object.fromEntries(peers.map((peer) => [label(peer.setting.pool), median(peer[of])])),
  });
  return {
    title: `memory of the program and its ${workers} workers, above idle`,
    rows: [
      row(
        `at most, while ${count} tasks are handed in at once and done`,
        'peaks',
        "≤ 1/3 of any process pool's",
      ),
      row('a second after the last of them (0.5: no more than before)', 'afters'),
    ],
  };
}
