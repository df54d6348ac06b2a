/**
 * What a forked process would still do for its parent: timers, immediates, ticks, promises' reactions. None of it is the
 * child's business; this takes it away. Node has no public way to, so `npx multiproc run` starts it with its internal
 * modules exposed (they are taken from here and nowhere else).
 */
import { createHook, executionAsyncResource } from 'node:async_hooks';
import { native } from '../../native/load.js';
import { internalModule } from './capable.js';

interface Linked {
  _idleNext: Linked;
  _idleTimeout: number;
  _onTimeout: unknown;
}
type Callbacks = Record<'processImmediate' | 'processTimers', () => void>;

interface Timers {
  timerListMap: Record<string, Linked>;
  immediateQueue: { head: { _idleNext: Timers['immediateQueue']['head'] } | null };
  getTimerCallbacks(runNextTicks: () => void): Callbacks;
}
interface TimersBinding {
  setupTimers(immediate: () => void, timers: () => void): void;
  immediateInfo: Uint32Array;
  timeoutInfo: Int32Array;
  toggleTimerRef(on: boolean): void;
  toggleImmediateRef(on: boolean): void;
}

let timers: Timers;
let binding: TimersBinding;
/** Ends the second for which Node keeps the text of an HTTP date. */
let forgetDate: (() => void) | undefined;
let clearAsyncIds: () => void;
const runTicks = (process as unknown as { _tickCallback: () => void })._tickCallback;

/** While Node is as it was made: before anything of the program's runs. */
export function findTurns(): void {
  const warn = process.emitWarning.bind(process);
  process.emitWarning = () => undefined; // that this is for tests
  try {
    timers = internalModule('internal/timers') as Timers;
    (internalModule('internal/http') as { utcDate: () => string }).utcDate();
    forgetDate = waiting().find(({ _onTimeout: f }) => (f as { name?: unknown }).name === 'resetCache')
      ?._onTimeout as typeof forgetDate;
    const { internalBinding } = internalModule('internal/test/binding') as {
      internalBinding: (name: string) => unknown;
    };
    binding = internalBinding('timers') as TimersBinding;
    clearAsyncIds = (internalModule('internal/async_hooks') as { clearAsyncIdStack: () => void })
      .clearAsyncIdStack;
  } finally {
    process.emitWarning = warn;
  }
}

/** In a child, when it has no listeners of its parent's any more. Nothing of the parent's turn runs on after leave(). */
export function dropTurns(): void {
  native.dropMicrotasks();
  dropTicks();
  dropTimers();
}

/** Ends the JavaScript that runs: no catch and no finally of it is run. Then the event loop calls `begin`. */
export function leave(begin: () => void): never {
  clearAsyncIds();
  native.unwind(begin);
  for (;;);
}

/**
 * Whether Node has come to the natural end of the program, where it calls 'exit' listeners and would take itself apart
 * after them. Others call them from JavaScript of Node's, and the event loop, or the main script, is still there to
 * return to.
 */
export function isAfterLoop(): boolean {
  if (!(process as unknown as { _exiting: boolean })._exiting) return false;
  const { stackTraceLimit, prepareStackTrace } = Error as unknown as Record<string, unknown>;
  Error.stackTraceLimit = Infinity;
  Error.prepareStackTrace = (_, sites) => sites;
  const stack = new Error().stack as unknown as NodeJS.CallSite[];
  Object.assign(Error, { stackTraceLimit, prepareStackTrace });
  return !stack.some((site) => endings.test(site.getFileName() ?? ''));
}

/** Where process.exit() is, and what is done about uncaught errors. */
const endings = /^node:internal\/process\/(per_thread|execution)$/;

/** Ticks are run, but do nothing. */
function dropTicks(): void {
  const nothing = (): void => undefined;
  const empty = createHook({
    before() {
      const tick = executionAsyncResource() as { callback?: unknown };
      if (typeof tick.callback === 'function') tick.callback = nothing;
    },
  });
  // Rejections that nobody has caught yet are the parent's.
  process.on('unhandledRejection', nothing).on('uncaughtException', nothing);
  empty.enable();
  try {
    runTicks.call(process);
  } finally {
    empty.disable();
    process.off('unhandledRejection', nothing).off('uncaughtException', nothing);
  }
}

function dropTimers(): void {
  for (const timer of waiting()) {
    const { _idleTimeout, _onTimeout } = timer;
    clearTimeout(timer as unknown as NodeJS.Timeout);
    // As one that has fired: who has kept it may refresh() it.
    Object.assign(timer, { _idleTimeout, _onTimeout });
  }
  forgetDate?.();
  for (let at = timers.immediateQueue.head, next; at !== null; at = next) {
    next = at._idleNext;
    clearImmediate(at as unknown as NodeJS.Immediate);
  }
  // Those that were being run: Node's functions for that are made anew, with nothing in hand.
  const { processImmediate, processTimers } = timers.getTimerCallbacks(runTicks);
  binding.setupTimers(processImmediate, processTimers);
  binding.immediateInfo.fill(0);
  binding.timeoutInfo.fill(0);
  binding.toggleTimerRef(false);
  binding.toggleImmediateRef(false);
}

function waiting(): Linked[] {
  return Object.values(timers.timerListMap).flatMap((list) => others(list, list));
}

function others(start: Linked, end: Linked): Linked[] {
  const found: Linked[] = [];
  for (let at = start._idleNext; at !== end; at = at._idleNext) found.push(at);
  return found;
}
