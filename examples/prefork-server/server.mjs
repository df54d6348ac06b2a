// npx multiproc run server.mjs [port] [workers]
//
// Loads the application once, binds the socket once, and forks workers that have both. One more is forked ahead: it takes
// the place of a worker that ends, and has only to listen.
import { once } from 'node:events';
import { createServer } from 'node:http';
import net from 'node:net';
import { getSystemErrorName } from 'node:util';
import * as mp from 'multiproc';
import { listener, loadCatalogue } from './app.mjs';
import { Shared } from './shared.mjs';

const [port = '8080', workers = String(mp.cpuCount()), perSecond = '60000'] = process.argv.slice(2);
const { Process } = mp.getContext('fork');

const catalogue = loadCatalogue();
const shared = new Shared(Number(workers), Number(perSecond));
const handle = listenLater(Number(port));

/** In a worker: closures over all of the above. The one forked ahead has no slot, and waits until it is given one. */
async function serve(slot, { given, place }) {
  const answer = listener(catalogue, {
    limit: (client) => shared.limit(client),
    count: (name) => shared.count(name),
    status: () => shared.status(),
  });
  const server = createServer(answer);
  // Ends when all connections are done.
  process.once('SIGTERM', () => {
    if (!server.listening) process.exit();
    server.close();
    server.closeIdleConnections();
  });
  if (slot === null) await given.wait();
  server.listen(handle, () => {
    Atomics.store(shared.pids, slot ?? place.value, process.pid);
    shared.count('starts');
  });
}

/** How long a worker has the machine for itself before another one is forked ahead. */
const settleMs = 100;
let stopping = false;
let ahead = null;
const running = new Map();

function fork(slot) {
  const turn = { given: new mp.Event(), place: new mp.Value('i', 0) };
  return { turn, process: new Process({ target: serve, args: [slot, turn] }).start() };
}

/** Has a worker in this place, at once if one is waiting for it. */
function fill(slot) {
  const worker = ahead?.process.isAlive() ? ahead : fork(slot);
  if (worker === ahead) {
    worker.turn.place.value = slot;
    worker.turn.given.set();
    ahead = null;
    setTimeout(forkAhead, settleMs).unref();
  }
  const { process: child } = worker;
  running.set(slot, child);
  void child.join().then((code) => {
    Atomics.store(shared.pids, slot, 0);
    if (stopping) return;
    fill(slot);
    console.error(`${child.name} (pid ${child.pid}) ended with ${code}; another one takes its place`);
    child.close();
  });
}

function forkAhead() {
  if (!stopping && !ahead?.process.isAlive()) ahead = fork(null);
}

// What a worker does first, done once here: each finds it compiled.
const rehearsal = createServer().listen(0, '127.0.0.1', () => rehearsal.close());
await once(rehearsal, 'close');

for (let slot = 0; slot < Number(workers); slot++) fill(slot);
setTimeout(forkAhead, settleMs).unref();
console.log(`listening on ${boundPort(handle)}`);

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    stopping = true;
    for (const worker of [...running.values(), ahead?.process]) if (worker?.isAlive()) worker.terminate();
  });
}

/** A socket that is bound, but not listened on: only workers accept. It is what node:cluster's primary makes its own by. */
function listenLater(port) {
  const made = net._createServerHandle('127.0.0.1', port, 4, undefined, 0);
  if (typeof made === 'number') throw new Error(`Port ${port} cannot be had: ${getSystemErrorName(made)}`);
  return made;
}

function boundPort(made) {
  const address = {};
  made.getsockname(address);
  return address.port;
}
