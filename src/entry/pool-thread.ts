/** What a worker thread of a ThreadPool runs. */
import { parentPort, workerData } from 'node:worker_threads';
import { runWorker, type Seat } from '../pool/worker.js';
import { becomePoolThread } from '../process/current.js';
import { decode } from '../transfer/codec.js';

becomePoolThread();
const seat = decode(workerData as Uint8Array) as Seat;
parentPort!.postMessage('attached');
parentPort!.unref();
await runWorker(seat);
