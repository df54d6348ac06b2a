/** Whether this process can fork itself: `npx multiproc run` starts it so, see entry/fork-main.ts. */
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import { ProcessError } from '../../errors.js';
import { native } from '../../native/load.js';
import { forkFlags } from '../fork-flags.js';
import { threadNames, within } from '../threads.js';

/** How long threads of Node's own may take to come to rest. */
const restMs = 1000;
/** The same for threads that end. */
const endMs = 200;

/** Of libuv's pool by default. */
const poolSize = 4;
const waiterThread = 'mp-waiter';

let capable = false;
/** Whether Node runs loaders of the program's, which it does in a thread of its own; and did before we counted threads. */
let loaders = false;
let earlyLoaders = false;
/** Threads that Node itself has here, and those that libuv's pool may still start. */
let ownThreads = 0;
let poolThreads = 0;
let workers = 0;

/** Has no thread for the inspector, which a child would not have. */
export const inspectorFlag = process.allowedNodeEnvironmentFlags.has('--disable-sigusr1')
  ? '--disable-sigusr1'
  : null;

/** What `npx multiproc run` adds to the program's own Node options. */
export function runFlags(): string[] {
  return [...forkFlags, '--expose-internals', ...(inspectorFlag === null ? [] : [inspectorFlag])];
}

export function isForkCapable(): boolean {
  return capable && isMainThread;
}

/** In a program's main thread, before anything of the program's runs. */
export function becomeCapable(startPool: () => void): void {
  const before = threads();
  startPool();
  ownThreads = threads();
  // None are new where the pool has run before.
  poolThreads = ownThreads - before || Math.trunc(Number(process.env.UV_THREADPOOL_SIZE)) || poolSize;
  process.on('worker', (worker) => {
    if (worker.constructor.name === 'InternalWorker') {
      loaders = true;
      return;
    }
    workers++;
    worker.once('exit', () => {
      workers--;
    });
  });
  noteLoaders();
  capable = native.canUnwind();
}

function noteLoaders(): void {
  // Node's own answer: it knows the command line, the variable, and files of options.
  const { getOptionValue } = internalModule('internal/options') as {
    getOptionValue: (name: string) => readonly string[];
  };
  loaders = earlyLoaders = getOptionValue('--experimental-loader').length > 0;
  const module = internalModule('node:module') as Record<'register', (...args: unknown[]) => unknown>;
  const { register } = module;
  module.register = (...args) => {
    loaders = true;
    return register.apply(module, args);
  };
  syncBuiltinESMExports();
}

/** In a forked child, which has its own thread, and those it has started since. */
export function countThreadsAgain(): void {
  ownThreads = threads() + poolThreads;
  poolThreads = ownThreads - threads();
  workers = 0;
}

/** Throws if a fork now would make a child that hangs. Waits until Node's own threads rest. */
export function checkMayFork(what: string): void {
  if (!capable)
    throw new ProcessError(
      'ERR_MP_UNSUPPORTED',
      `${what}: this process cannot fork; start the program with: npx multiproc run <script>`,
    );
  if (!isMainThread)
    throw new ProcessError(
      'ERR_MP_UNSUPPORTED',
      `${what}: a worker thread cannot fork; do it in the main thread, or use another start method`,
    );
  // A thread that ends is there for a moment longer.
  if (earlyLoaders || workers > 0 || !within(endMs, () => threads() <= ownThreads)) {
    const names = otherThreads().join(', ');
    if (loaders && workers === 0)
      throw new ProcessError(
        'ERR_MP_THREADS',
        `${what}: Node runs the loader of this program, of module.register() or --loader, in a thread, which a fork does not ` +
          `take along (${names}); use one that runs in the program's own thread (--require, module.registerHooks()), or ` +
          'another start method',
      );
    const whose = workers > 0 ? 'worker threads' : 'threads of an addon or of workers';
    throw new ProcessError(
      'ERR_MP_THREADS',
      `${what}: this process runs ${whose}, which a fork does not take along (${names}); ` +
        'end them before, start them after, or use another start method',
    );
  }
  if (!within(restMs, () => native.threadsRest())) {
    throw new ProcessError(
      'ERR_MP_THREADS',
      `${what}: Node's own threads were busy for ${restMs} ms, and a child forked now could wait for what they hold; ` +
        'try again when file, crypto and zlib calls under way are done',
    );
  }
}

/** Those that a fork does not stop around itself. */
function otherThreads(): string[] {
  return threadNames().filter((name) => name !== waiterThread);
}

function threads(): number {
  return otherThreads().length;
}

/** A module of Node's, also of those that --expose-internals gives. */
export const internalModule = createRequire(import.meta.url) as (name: string) => unknown;
