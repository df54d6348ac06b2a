import { typeError } from '../native/arguments.js';
import type { Host } from './host.js';
import type { CheckedPoolOptions } from './options.js';
import { Pool } from './pool.js';
import { ThreadHost } from './thread-host.js';

/**
 * A pool whose workers are threads of this process: the same face, for comparing. A thread that crashes natively takes the whole
 * program with it, and all threads share one limit of memory.
 */
export class ThreadPool extends Pool {
  /** @internal */
  protected override makeHost({ context, maxMemory, process }: CheckedPoolOptions): Host {
    if (context !== null || maxMemory > 0 || Object.values(process).some((option) => option !== undefined))
      throw typeError(
        'new ThreadPool(): context, maxMemoryPerChild, env, cwd and execArgv are for processes: use Pool',
      );
    return new ThreadHost('ThreadPool');
  }
}
