/** The package's face, bound to one start method. */
import { MultiprocessingError } from '../errors.js';
import * as face from '../index.js';
import { runGroup, type GroupOptions } from './group.js';
import { ProcessPoolExecutor } from '../pool/executor.js';
import { Pool } from '../pool/pool.js';
import type { PoolOptions } from '../pool/options.js';
import { checkTarget, type Target } from './options.js';
import { boundMethod } from './keys.js';
import { Process } from './process.js';
import { checkStartMethod, getStartMethod, type StartMethod } from './start-method.js';

/** Everything there is, with processes that are started by one method whatever the program chose. */
export type Context = typeof face;

const contexts = new Map<StartMethod, Context>();

/**
 * The whole of the package with processes started by `method`; without one by that of getStartMethod().
 * @throws MultiprocessingError `ERR_MP_UNSUPPORTED` if it is not available here, `ERR_MP_START_METHOD` if there is no such
 */
export function getContext(method: StartMethod = getStartMethod()): Context {
  checkStartMethod(method, 'getContext()');
  let context = contexts.get(method);
  if (context === undefined) contexts.set(method, (context = make(method)));
  return context;
}

function make(method: StartMethod): Context {
  class ContextProcess extends Process {
    static override readonly [boundMethod] = method;
  }
  class ContextPool extends Pool {
    static override readonly [boundMethod] = ContextProcess;
  }
  class ContextExecutor extends ProcessPoolExecutor {
    protected override makePool(options: PoolOptions | undefined): Pool {
      return new ContextPool(options);
    }
  }
  // As messages and default names say it.
  for (const [bound, { name }] of [
    [ContextProcess, Process],
    [ContextPool, Pool],
    [ContextExecutor, ProcessPoolExecutor],
  ] as const)
    Object.defineProperty(bound, 'name', { value: name });
  const bound = {
    Process: ContextProcess,
    Pool: ContextPool,
    ProcessPoolExecutor: ContextExecutor,
    run: async (target: Target, ...args: unknown[]): Promise<unknown> =>
      new ContextProcess({ target: checkTarget(target, 'run()'), args }).start().result(),
    spawnGroup: (fn: Target, options: GroupOptions) => runGroup(ContextProcess, fn, options),
    getStartMethod: () => method,
    setStartMethod: (): never => {
      throw new MultiprocessingError(
        'ERR_MP_START_METHOD',
        `setStartMethod(): this context is bound to ${method}; getContext() gives others`,
      );
    },
  };
  const context = { ...face, ...bound };
  // What changes there changes here, e.g. in a process that was forked with this object in its heap.
  Object.defineProperty(context, 'isMainProcess', { get: () => face.isMainProcess, enumerable: true });
  return context as unknown as Context;
}
