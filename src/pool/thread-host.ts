import { Worker as Thread } from 'node:worker_threads';
import { checkMayStart } from '../process/current.js';
import { encode } from '../transfer/codec.js';
import { pin } from '../transfer/handle.js';
import type { Host, Seat, Worker, WorkerEnd } from './host.js';

/** Workers that are threads of this process. */
export class ThreadHost implements Host {
  readonly poolName: string;

  constructor(poolName: string) {
    this.poolName = poolName;
  }

  start(seat: Seat, name: string, ended: (end: WorkerEnd) => void): Worker {
    checkMayStart(`${this.poolName}: start()`);
    const { bytes, shared } = encode(seat, 'initargs');
    const unpins = shared.map((object) => object[pin]());
    const thread = new Thread(new URL('../entry/pool-thread.js', import.meta.url), {
      workerData: new Uint8Array(bytes),
      name,
    });
    thread.unref();
    thread.on('error', () => {
      // It has printed nothing, but its exit follows, and with that the tasks it had fail.
    });
    const unpin = (): void => {
      for (const each of unpins.splice(0)) each();
    };
    thread.once('message', unpin);
    thread.once('exit', (exitCode) => {
      unpin();
      ended({ exitCode, signal: null });
    });
    const end = (): void => {
      void thread.terminate();
    };
    return { name, pid: process.pid, kill: end, terminate: end };
  }
}
