// How long does a message take to another process and back?
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { freshNode, hasPython, interleave, median, python } from './support.mjs';

const source = (make, ping, pong, count, cores) => `
import multiprocessing as m, os, time
m.set_start_method('fork')
message = {'id': 1, 'op': 'add', 'args': [1, 2]}
def answer(a, b, count):
    os.sched_setaffinity(0, {${cores[1]}})
    for i in range(count): ${pong}
a, b = ${make}
p = m.Process(target=answer, args=(a, b, ${count}))
p.start()
os.sched_setaffinity(0, {${cores[0]}})
times = []
for i in range(${count} // 50):
    t = time.perf_counter()
    for j in range(50): ${ping}
    times.append((time.perf_counter() - t) * 1e6 / 50)
p.join()
print(sorted(times)[len(times) // 2])
`;
const pythons = {
  ints: ['m.Pipe()', 'a.send(1); a.recv()', 'b.send(b.recv())'],
  pipe: ['m.Pipe()', 'a.send(message); a.recv()', 'b.send(b.recv())'],
  queues: ['(m.Queue(), m.Queue())', 'a.put(message); b.get()', 'b.put(a.get())'],
};

async function send(count) {
  const child = fork(new URL('targets/messages.mjs', import.meta.url), ['echo']);
  await once(child, 'message');
  const times = [];
  for (let i = 0; i < count; i++) {
    const since = process.hrtime.bigint();
    const back = once(child, 'message');
    child.send({ id: 1, op: 'add', args: [1, 2] });
    await back;
    times.push(Number(process.hrtime.bigint() - since) / 1000);
  }
  child.disconnect();
  await once(child, 'exit');
  return median(times);
}

export async function bench({ smoke }) {
  const [rounds, ours, theirs] = smoke ? [1, 100, 50] : [5, 20_000, 2000];
  const rows = [];
  for (const [where, cores, goal] of [
    ['two cores', [0, 1], '≤ 2 µs'],
    ['one core', [0, 0], '≤ 6 µs'],
  ]) {
    for (const [game, python3] of Object.entries(pythons)) {
      if (smoke && (game === 'queues') === (cores[1] === 1)) continue; // each once
      const m = await interleave(rounds, {
        ours: () => freshNode('ping-pong', game, ours, ...cores),
        send: () => send(theirs),
        python: () => (hasPython ? python(source(...python3, theirs, cores)) : NaN),
      });
      rows.push({
        what: `${game === 'ints' ? 'an int there and back, pipe' : `an object there and back, ${game}`}, ${where}`,
        unit: 'µs',
        ours: m.ours,
        goal,
        peers: { 'process.send (not pinned)': m.send, CPython: m.python },
      });
    }
  }
  return { title: 'a message there and back', rows };
}
