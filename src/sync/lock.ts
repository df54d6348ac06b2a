import { MultiprocessingError, TimeoutError } from '../errors.js';
import { cas, me, Reference } from '../memory/arena.js';
import { typeError } from '../native/arguments.js';
import { Outcome } from '../native/arena-binding.js';
import { native } from '../native/load.js';
import { registerKind } from '../transfer/handle.js';
import { acquireLater } from './acquire-later.js';
import { Guard } from './guard.js';
import { isTaken, type LockAddress, LockHandle, openLock, takeFree } from './lock-handle.js';
import { parseWait, type SyncWaitOptions, type WaitOptions } from './wait-options.js';

/**
 * A mutual-exclusion lock between processes and threads.
 *
 * Its owner is the JavaScript environment (main thread or worker thread) that took it. If that environment ends while it
 * holds the lock, by whatever cause, the next one gets it with `guard.abandoned === true` and should check the data
 * before trusting it. A newcomer may overtake sleeping waiters until one of them has waited for 1 ms; that one is next.
 * Not re-entrant: see {@link RLock}. Costs 64 bytes of shared memory and no descriptor.
 *
 * ```js
 * const guard = await lock.acquire();
 * try { total.value += 1 } finally { guard.release() }
 * ```
 */
export class Lock extends LockHandle {
  constructor();
  /** @internal */
  constructor(reference: Reference);
  constructor(reference?: unknown) {
    if (reference !== undefined && !(reference instanceof Reference)) {
      throw typeError('new Lock(): takes no argument');
    }
    super(reference ?? Reference.create(native.layout.kindLock, 0));
  }

  protected override get kindName(): string {
    return 'Lock';
  }

  /**
   * Waits for the lock without blocking the event loop, which is kept alive meanwhile.
   * @throws TimeoutError after `timeout` milliseconds (0 tries once), the signal's reason when aborted, ClosedError after
   * close()
   */
  async acquire(options?: number | WaitOptions): Promise<Guard> {
    const what = 'Lock.acquire()';
    const state = this.opened('acquire()');
    const { timeout, signal } = parseWait(options, what);
    signal?.throwIfAborted();
    if (takeFree(state)) return new Guard(state, state.take(), false);
    if (timeout === 0) {
      const outcome = state.try();
      if (!isTaken(outcome)) throw new TimeoutError(`${what}: the lock is held`);
      return new Guard(state, state.take(), outcome === Outcome.abandoned);
    }
    const granted = (abandoned: boolean): Guard => new Guard(state, state.take(), abandoned);
    return acquireLater({ state, handle: this, what, timeout, signal, granted });
  }

  /**
   * Waits for the lock, blocking this thread. For workers and scripts, not for servers.
   * @throws TimeoutError after `timeout` milliseconds (0 tries once); InterruptedError when a SIGINT or SIGTERM arrives
   * that the program listens for; DeadlockError at once if this thread holds the lock already, in whatever task
   */
  acquireSync(options?: number | SyncWaitOptions): Guard {
    const { state } = this;
    if (options === undefined && state !== null && cas(state.fast, 0, me) === 0) {
      return new Guard(state, state.take(), false);
    }
    return this.#acquireSyncSlow(options);
  }

  #acquireSyncSlow(options: number | SyncWaitOptions | undefined): Guard {
    const what = 'Lock.acquireSync()';
    const state = this.opened('acquireSync()');
    const { timeout } = parseWait(options, what);
    const outcome = state.wait(timeout, what);
    if (!isTaken(outcome)) throw new TimeoutError(`${what}: the lock was not free within ${timeout} ms`);
    return new Guard(state, state.take(), outcome === Outcome.abandoned);
  }

  /** Takes the lock if nobody alive holds it; never waits. Null: it is held. (`using` of null runs unlocked!) */
  tryAcquire(): Guard | null {
    const state = this.opened('tryAcquire()');
    if (cas(state.fast, 0, me) === 0) return new Guard(state, state.take(), false);
    const outcome = state.try();
    return isTaken(outcome) ? new Guard(state, state.take(), outcome === Outcome.abandoned) : null;
  }

  /**
   * Releases the lock whoever holds it, as Python's does; the holder's guard is void from then on. Does not block.
   * @throws MultiprocessingError `ERR_MP_NOT_HELD` if the lock is free
   */
  release(): void {
    const state = this.opened('release()');
    if (state.reallyHeld) {
      state.release();
    } else if (!state.releaseAny()) {
      throw new MultiprocessingError('ERR_MP_NOT_HELD', 'Lock.release(): the lock is free');
    }
  }

  /** Runs `body` while holding the lock, and releases it whatever happens. Resolves to what `body` returns. */
  async runExclusive<T>(
    body: (guard: Guard) => T | PromiseLike<T>,
    options?: number | WaitOptions,
  ): Promise<T> {
    const guard = await this.acquire(options);
    try {
      return await body(guard);
    } finally {
      guard.release();
    }
  }

  /** Runs a synchronous `body` while holding the lock. Blocks this thread until the lock is free. */
  runExclusiveSync<T>(body: (guard: Guard) => T, options?: number | SyncWaitOptions): T {
    const guard = this.acquireSync(options);
    try {
      return body(guard);
    } finally {
      guard.release();
    }
  }
}

registerKind<LockAddress>('Lock', (address) => new Lock(openLock(address, 'Lock', false)));
