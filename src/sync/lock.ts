import { MultiprocessingError, TimeoutError } from '../errors.js';
import { cas, me, type Reference } from '../memory/arena.js';
import { Outcome } from '../native/arena-binding.js';
import { type Handle, registerKind } from '../transfer/handle.js';
import { detects, took } from './deadlock.js';
import { Guard } from './guard.js';
import { isTaken, type LockAddress, LockHandle, openLock } from './lock-handle.js';
import type { LockState } from './lock-state.js';
import { namedLock, type NamedLockOptions, type NamedReference, reopenNamed } from './named-lock.js';
import { parseSyncWait, type SyncWaitOptions } from './wait-options.js';

/**
 * A mutual-exclusion lock between processes and threads.
 *
 * Its owner is the JavaScript environment (main thread or worker thread) that took it. If that environment ends while it
 * holds the lock, by whatever cause, the next one gets it with `guard.abandoned === true` and should check the data
 * before trusting it. A newcomer may overtake sleeping waiters until one of them has waited for 1 ms; that one is next.
 * Not re-entrant: see {@link RLock}. Costs 64 bytes of shared memory and no descriptor.
 *
 * With a name it is a lock that programs need not be related to share: whoever may open the name gets it, and the first
 * one makes it. It lives until `Lock.delete(name)` or the machine's next start, whoever ends. Each thread that has it open
 * costs 4 KiB of /dev/shm; 511 may, and a thread may have 1,024 open. Another program can overwrite its memory: that is
 * never a crash, and the next attempt to get it throws `ERR_MP_DAMAGED`.
 *
 * ```js
 * const guard = await lock.acquire();
 * try { total.value += 1 } finally { guard.release() }
 * ```
 */
export class Lock extends LockHandle<Guard> {
  /**
   * @param options with a name: `x` or `shm://x`
   * @throws MultiprocessingError with a name: ERR_MP_ACCESS, ERR_MP_MEMORY, ERR_MP_DAMAGED, ERR_MP_LAYOUT_VERSION,
   * ERR_MP_PARTICIPANTS, ERR_MP_LIMIT
   */
  constructor(options?: NamedLockOptions);
  /** @internal */
  constructor(reference: Reference | NamedReference);
  constructor(given?: unknown) {
    super(given, namedLock, 0);
  }

  /** @internal */
  protected static override readonly named = namedLock;

  protected override get kindName(): string {
    return 'Lock';
  }

  /**
   * Waits for the lock, blocking this thread. For workers and scripts, not for servers.
   * @throws TimeoutError after `timeout` milliseconds (0 tries once); InterruptedError when a SIGINT or SIGTERM arrives
   * that the program listens for; DeadlockError at once if this thread holds the lock already, in whatever task
   */
  acquireSync(options?: number | SyncWaitOptions): Guard {
    const { state } = this;
    if (options === undefined && state !== null && cas(state.fast, 0, me) === 0) {
      return this.taken(state, false);
    }
    return this.#acquireSyncSlow(options);
  }

  #acquireSyncSlow(options: number | SyncWaitOptions | undefined): Guard {
    const what = 'Lock.acquireSync()';
    const state = this.opened('acquireSync()');
    const { timeout } = parseSyncWait(options, what);
    const outcome = state.wait(timeout, what, detects(options));
    if (!isTaken(outcome)) throw new TimeoutError(`${what}: the lock was not free within ${timeout} ms`);
    return took(state, this.taken(state, outcome === Outcome.abandoned));
  }

  /** @internal */
  protected override taken(state: LockState, abandoned: boolean): Guard {
    return new Guard(state, state.take(), abandoned);
  }

  /** Takes the lock if nobody alive holds it; never waits. Null: it is held. (`using` of null runs unlocked!) */
  tryAcquire(): Guard | null {
    const state = this.opened('tryAcquire()');
    if (cas(state.fast, 0, me) === 0) return this.taken(state, false);
    const outcome = state.try();
    return isTaken(outcome) ? took(state, this.taken(state, outcome === Outcome.abandoned)) : null;
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
}

registerKind<LockAddress>('Lock', (address) => new Lock(openLock(address, 'Lock', false)));
registerKind<Handle & { name: unknown; id: unknown }>(
  'NamedLock',
  ({ name, id }) => new Lock(reopenNamed(namedLock, name, id)),
);
