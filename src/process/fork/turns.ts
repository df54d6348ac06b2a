/**
 * What a forked process would still do for its parent: timers, immediates, ticks, promises' reactions. None of it is the
 * child's business; this takes it away. Node has no public way to, so `npx multiproc run` starts it with its internal
 * modules exposed (they are taken from here and nowhere else).
 */
import { createHook, executionAsyncResource } from 'node:async_hooks';
import { native } from '../../native/load.js';
import { internalModule } from './capable.js';

interface Linked {
  _idleNext: Linked | null;
}
type Callbacks = Record<'processImmediate' | 'processTimers', () => void>;

interface Timers {
  timerListMap: Record<string, Linked>;
  immediateQueue: { head: Linked | null };
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
let clearAsyncIds: () => void;
const runTicks = (process as unknown as { _tickCallback: () => void })._tickCallback;

/** While Node is as it was made: before anything of the program's runs. */
export function findTurns(): void {
  const warn = process.emitWarning.bind(process);
  process.emitWarning = () => undefined; // that this is for tests
  try {
    timers = internalModule('internal/timers') as Timers;
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
  for (const list of Object.values(timers.timerListMap)) {
    for (const timer of others(list, list)) clearTimeout(timer as unknown as NodeJS.Timeout);
  }
  for (const immediate of others({ _idleNext: timers.immediateQueue.head }, null))
    clearImmediate(immediate as unknown as NodeJS.Immediate);
  // Those that were being run: Node's functions for that are made anew, with nothing in hand.
  const { processImmediate, processTimers } = timers.getTimerCallbacks(runTicks);
  binding.setupTimers(processImmediate, processTimers);
  binding.immediateInfo.fill(0);
  binding.timeoutInfo.fill(0);
  binding.toggleTimerRef(false);
  binding.toggleImmediateRef(false);
}

function others(start: Linked, end: Linked | null): Linked[] {
  const found: Linked[] = [];
  for (let at = start._idleNext; at !== end && at !== null; at = at._idleNext) found.push(at);
  return found;
}
