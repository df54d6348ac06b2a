// npx multiproc run server.mjs [port] [workers]
//
// Loads the application once, binds the socket once, and forks workers that have both. A worker that ends is replaced by
// another fork: what it needs is all there already.
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

/** In a worker: closures over all of the above. */
function serve(slot) {
  const answer = listener(catalogue, {
    limit: (client) => shared.limit(client),
    count: (name) => shared.count(name),
    status: () => shared.status(),
  });
  const server = createServer(answer).listen(handle, () => {
    Atomics.store(shared.pids, slot, process.pid);
    shared.count('starts');
  });
  // Ends when all connections are done.
  process.once('SIGTERM', () => {
    server.close();
    server.closeIdleConnections();
  });
}

let stopping = false;
const running = new Map();

function start(slot) {
  const worker = new Process({ target: serve, args: [slot], name: `worker-${slot}` });
  running.set(slot, worker.start());
  void worker.join().then((code) => {
    Atomics.store(shared.pids, slot, 0);
    if (stopping) return;
    console.error(`${worker.name} (pid ${worker.pid}) ended with ${code}; another one takes its place`);
    worker.close();
    start(slot);
  });
}

for (let slot = 0; slot < Number(workers); slot++) start(slot);
console.log(`listening on ${boundPort(handle)}`);

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    stopping = true;
    for (const worker of running.values()) if (worker.isAlive()) worker.terminate();
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
