// The same application with node:cluster: node cluster.mjs [port] [workers]. Each worker loads it for itself, and counts
// for itself.
import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { listener, loadCatalogue } from './app.mjs';

const [port = '8080', workers = '2'] = process.argv.slice(2);

if (cluster.isPrimary) {
  let listening = 0;
  cluster.on('listening', (_, { port }) => {
    if (++listening === 1) console.log(`listening on ${port}`);
  });
  cluster.on('exit', () => {
    if (!stopping) cluster.fork();
  });
  let stopping = false;
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => {
      stopping = true;
      for (const worker of Object.values(cluster.workers)) worker.process.kill();
      process.exit();
    });
  }
  for (let i = 0; i < Number(workers); i++) cluster.fork();
} else {
  const counts = { served: 0, refused: 0, starts: 1 };
  const count = (name) => counts[name]++;
  const status = () => ({ ...counts, answeredBy: process.pid });
  createServer(listener(loadCatalogue(), { limit: () => true, count, status })).listen(
    Number(port),
    '127.0.0.1',
  );
}
