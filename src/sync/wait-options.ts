/** The options of everything that waits: one meaning, checked in one place. */
import { rangeError, show, typeError } from '../native/arguments.js';

export interface SyncWaitOptions {
  /** Milliseconds to wait at most. `Infinity` by default; `0` tries once. */
  timeout?: number | undefined;
  /**
   * Looks for a cycle of tasks that wait for each other before it waits, and throws DeadlockError if there is one: see
   * docs/debugging.md. Of acquisitions only.
   */
  detectDeadlock?: boolean | undefined;
}

export interface WaitOptions extends SyncWaitOptions {
  /** Ends the wait when it is aborted: the call rejects with its `reason`. */
  signal?: AbortSignal | undefined;
}

export interface Wait {
  readonly timeout: number;
  readonly signal?: AbortSignal;
}

const forever: Wait = { timeout: Infinity };

/** Reads the options of the call named `what`. TypeError or RangeError if they make no sense. */
export function parseWait(options: number | WaitOptions | null | undefined, what: string): Wait {
  if (options === undefined || options === null) return forever;
  if (typeof options === 'number') return { timeout: checkTimeout(options, what) };
  if (typeof options !== 'object') {
    throw typeError(`${what}: expects milliseconds or { timeout, signal }, not ${show(options)}`);
  }
  const timeout = checkTimeout(options.timeout ?? Infinity, what);
  const { signal, detectDeadlock } = options;
  if (detectDeadlock !== undefined && typeof detectDeadlock !== 'boolean')
    throw typeError(`${what}: detectDeadlock must be true or false, not ${show(detectDeadlock)}`);
  if (signal !== undefined) {
    if (!((signal as unknown) instanceof EventTarget) || !('aborted' in signal)) {
      throw typeError(`${what}: signal must be an AbortSignal, not ${show(signal)}`);
    }
    return { timeout, signal };
  }
  return { timeout };
}

/** The same for a call that begins to wait now. @throws the signal's reason, if that is aborted already */
export function beginWait(options: number | WaitOptions | null | undefined, what: string): Wait {
  if (options === undefined) return forever;
  const wait = parseWait(options, what);
  wait.signal?.throwIfAborted();
  return wait;
}

/** The same for a call that blocks: nothing could abort it meanwhile, so a signal is refused rather than ignored. */
export function parseSyncWait(options: number | SyncWaitOptions | null | undefined, what: string): Wait {
  const wait = parseWait(options, what);
  if (wait.signal !== undefined)
    throw typeError(`${what}: takes no signal, which could not be aborted while this thread blocks`);
  return wait;
}

function checkTimeout(timeout: unknown, what: string): number {
  if (typeof timeout !== 'number') {
    throw typeError(`${what}: timeout must be a number of milliseconds, not ${show(timeout)}`);
  }
  if (!(timeout >= 0)) throw rangeError(`${what}: timeout must be 0 or more milliseconds, not ${timeout}`);
  return timeout;
}
