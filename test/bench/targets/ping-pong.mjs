// Two processes hand something to and fro: microseconds of a round trip, the median of batches. Run as a program it prints
// that; its arguments: what, how many round trips, and the cores of the two.
import { execFileSync } from 'node:child_process';
import { argv, pid } from 'node:process';
import { fileURLToPath } from 'node:url';
import { Condition, Event, Lock, Pipe, Process, Queue, RawValue, Semaphore } from 'multiproc';
import { median } from '../support.mjs';

const batch = 50;
let role = 0; // 1: the one that answers
let held;
let at;

/** What both use, what the first does for a round trip, and what the second does. */
const games = {
  // On a ring of three each holds one, and steps to the next when the other has left it: a lock is its owner's to release.
  locks: {
    make: () => [new Lock(), new Lock(), new Lock()],
    begin: (...locks) => (held = locks[(at = role)].acquireSync()),
    ping: step,
    pong: step,
  },
  semaphores: {
    make: () => [new Semaphore(0), new Semaphore(0)],
    ping(there, back) {
      there.release();
      back.acquireSync({ owned: false });
    },
    pong(there, back) {
      there.acquireSync({ owned: false });
      back.release();
    },
  },
  events: {
    make: () => [new Event(), new Event()],
    ping(there, back) {
      there.set();
      back.waitSync();
      back.clear();
    },
    pong(there, back) {
      there.waitSync();
      there.clear();
      back.set();
    },
  },
  pipe: {
    make: () => Pipe(),
    ping(end) {
      end.sendSync({ id: 1, op: 'add', args: [1, 2] });
      end.recvSync();
    },
    pong(_, end) {
      end.sendSync(end.recvSync());
    },
  },
  ints: {
    make: () => Pipe(),
    ping(end) {
      end.sendSync(1);
      end.recvSync();
    },
    pong(_, end) {
      end.sendSync(end.recvSync());
    },
  },
  queues: {
    make: () => [new Queue(), new Queue()],
    ping(there, back) {
      there.putSync({ id: 1, op: 'add', args: [1, 2] });
      back.getSync();
    },
    pong(there, back) {
      back.putSync(there.getSync());
    },
  },
  condition: {
    make: () => [new Condition(), new RawValue('i', 0)],
    ping: (condition, turn) => pass(condition, turn, 0),
    pong: (condition, turn) => pass(condition, turn, 1),
  },
};

/** Waits for our turn, and makes it the other's. */
function pass(condition, turn, ours) {
  const guard = condition.acquireSync();
  while (turn.value !== ours) condition.waitSync();
  turn.value = 1 - ours;
  condition.notify();
  guard.release();
}

function step(...locks) {
  at = (at + 1) % 3;
  const next = locks[at].acquireSync();
  held.release();
  held = next;
}

function pin(core) {
  try {
    execFileSync('taskset', ['-a', '-c', '-p', String(core), String(pid)], { stdio: 'ignore' });
  } catch {
    // not here: the scheduler places them
  }
}

export function answer(game, count, core, started, ...shared) {
  pin(core);
  const { begin, pong } = games[game];
  role = 1;
  begin?.(...shared);
  started.value = 1;
  for (let i = 0; i < count; i++) pong(...shared);
}

async function play(game, count, cores) {
  const { make, begin, ping } = games[game];
  const [shared, started] = [make(), new RawValue('i', 0)];
  begin?.(...shared);
  const other = new Process(answer, game, count, cores[1], started, ...shared).start();
  while (started.value === 0) await new Promise(setImmediate);
  pin(cores[0]);
  const times = [];
  for (let left = count; left > 0; left -= batch) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < batch; i++) ping(...shared);
    times.push(Number(process.hrtime.bigint() - start) / 1000 / batch);
  }
  if (game === 'condition') games.condition.ping(...shared); // the other's last turn
  await other.join();
  return median(times.slice(Math.floor(times.length / 4))); // when all is compiled
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const [, , game, count, ...cores] = argv;
  console.log(JSON.stringify(await play(game, Number(count), cores)));
}
