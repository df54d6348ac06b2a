// How long does it take to hand something to another process and to get it back, both blocking?
import { freshNode, hasPython, interleave, python } from './support.mjs';

/** CPython's of targets/ping-pong.mjs: what both use, what the first does, what the second does. */
const games = {
  locks: ['[m.Lock(), m.Lock(), m.Lock()], [0]', 'step(a, b)', 'step(a, b)'],
  semaphores: ['(m.Semaphore(0), m.Semaphore(0))', 'a.release(); b.acquire()', 'a.acquire(); b.release()'],
  events: ['(m.Event(), m.Event())', 'a.set(); b.wait(); b.clear()', 'a.wait(); a.clear(); b.set()'],
  condition: ["(m.Condition(), m.RawValue('i', 0))", 'turn(a, b, 0)', 'turn(a, b, 1)'],
};

const source = ([make, ping, pong], count, cores) => `
import multiprocessing as m, os, time
m.set_start_method('fork')
def turn(c, t, me):
    with c:
        while t.value != me: c.wait()
        t.value = 1 - me
        c.notify()
def step(locks, at):
    mine = at[0]
    at[0] = (mine + 1) % 3
    locks[at[0]].acquire()
    locks[mine].release()
def answer(a, b, started, count):
    os.sched_setaffinity(0, {${cores[1]}})
    ${make.includes('Lock') ? 'b[0] = 1; a[1].acquire()' : ''}
    started.value = 1
    for i in range(count): ${pong}
a, b = ${make}
${make.includes('Lock') ? 'a[0].acquire()' : ''}
started = m.RawValue('i', 0)
p = m.Process(target=answer, args=(a, b, started, ${count}))
p.start()
while not started.value: time.sleep(0.001)
os.sched_setaffinity(0, {${cores[0]}})
times = []
for i in range(${count} // 50):
    t = time.perf_counter()
    for j in range(50): ${ping}
    times.append((time.perf_counter() - t) * 1e6 / 50)
${make.includes('Condition') ? ping : ''}
p.join()
print(sorted(times)[len(times) // 2])
`;

export async function bench({ smoke }) {
  const [rounds, ours, theirs] = smoke ? [1, 100, 50] : [5, 10_000, 2000];
  const rows = [];
  for (const [where, cores, goal] of [
    ['two cores', [0, 1], '≤ 2 µs'],
    ['one core', [0, 0], '≤ 6 µs'],
  ]) {
    for (const [game, python3] of Object.entries(games)) {
      if (smoke && cores[1] === (game === 'locks' || game === 'events' ? 0 : 1)) continue; // each once
      const m = await interleave(rounds, {
        ours: () => freshNode('ping-pong', game, ours, ...cores),
        python: () =>
          hasPython && (!smoke || game === 'locks') ? python(source(python3, theirs, cores)) : NaN,
      });
      rows.push({
        what: `there and back, ${game}, ${where}`,
        unit: 'µs',
        ours: m.ours,
        goal,
        peers: { CPython: m.python },
      });
    }
  }
  return { title: 'hand-off between two processes', rows };
}
