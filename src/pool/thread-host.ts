import { writeSync } from 'node:fs';
import { inspect } from 'node:util';
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
    let uncaught: unknown;
    thread.on('error', (error: unknown) => {
      // A process would print it; its exit follows, and with that the tasks it had fail.
      uncaught = error;
      print(name, error);
    });
    const unpin = (): void => {
      for (const each of unpins.splice(0)) each();
    };
    thread.once('message', unpin);
    thread.once('exit', (exitCode) => {
      unpin();
      ended({ exitCode, signal: null, cause: uncaught });
    });
    const end = (): void => {
      void thread.terminate();
    };
    return { name, pid: process.pid, kill: end, terminate: end };
  }
}

function print(name: string, error: unknown): void {
  try {
    writeSync(2, `Uncaught in ${name}: ${inspect(error)}\n`);
  } catch {
    // Nobody reads it, or it cannot be shown.
  }
}
