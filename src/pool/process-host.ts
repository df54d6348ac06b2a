import { checkMayHaveChildren } from '../process/current.js';
import { exitedHook, poolWorker } from '../process/keys.js';
import type { Process } from '../process/process.js';
import type { ProcessOptions } from '../process/options.js';
import { preloadNamespace } from '../transfer/function-resolve.js';
import { signalName } from '../process/signals.js';
import type { Host, Seat, Worker, WorkerEnd } from './host.js';
import { runWorker } from './worker.js';

/** Where a child finds what it is to run, without a module to load. */
const moduleName = 'multiproc:pool';
preloadNamespace(moduleName, { runWorker });

const graceMs = 500;

/** Workers that are processes: daemons, so they end with this program. */
export class ProcessHost implements Host {
  readonly poolName: string;
  readonly #Process: typeof Process;
  readonly #options: Pick<ProcessOptions, 'env' | 'cwd' | 'execArgv'>;

  constructor(
    poolName: string,
    WorkerProcess: typeof Process,
    options: Pick<ProcessOptions, 'env' | 'cwd' | 'execArgv'>,
  ) {
    checkMayHaveChildren(`new ${poolName}()`);
    this.poolName = poolName;
    this.#Process = WorkerProcess;
    this.#options = options;
  }

  start(seat: Seat, name: string, ended: (end: WorkerEnd) => void): Worker {
    const child = new this.#Process({
      ...this.#options,
      target: { module: moduleName, export: 'runWorker' },
      args: [seat],
      name,
      daemon: true,
    });
    child[poolWorker] = true;
    let killLater: NodeJS.Timeout | undefined;
    /** From here on there is nobody to signal, although the pool hears of it later. */
    let hasExited = false;
    child[exitedHook] = (code) => {
      hasExited = true;
      clearTimeout(killLater);
      child.close();
      // Not at once: its end may be noticed inside any call on a process, the start of its successor for one.
      setImmediate(
        ended,
        code < 0 ? { exitCode: null, signal: signalName(-code) } : { exitCode: code, signal: null },
      );
    };
    child.start();
    return {
      name,
      pid: child.pid!,
      kill() {
        if (!hasExited) child.kill();
      },
      terminate() {
        if (hasExited) return;
        killLater ??= setTimeout(() => {
          child.kill();
        }, graceMs);
        child.terminate(); // may notice that it has exited
      },
    };
  }
}
