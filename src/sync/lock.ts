import { MultiprocessingError, TimeoutError } from '../errors.js';
import { cas, me, Reference } from '../memory/arena.js';
import { Outcome } from '../native/arena-binding.js';
import { native } from '../native/load.js';
import { type Handle, registerKind } from '../transfer/handle.js';
import { acquireLater } from './acquire-later.js';
import { type Call, detects, runBody, took, watched, watching } from './deadlock.js';
import { Guard } from './guard.js';
import { isTaken, type LockAddress, LockHandle, openLock, takeFree } from './lock-handle.js';
import {
  deleteNamed,
  listNamed,
  namedLock,
  type NamedLockOptions,
  namedOptions,
  NamedReference,
  nameOf,
  openNamed,
  reopenNamed,
} from './named-lock.js';
import { type Owner, toOwner } from './owner.js';
import { parseSyncWait, parseWait, type SyncWaitOptions, type WaitOptions } from './wait-options.js';

export interface NamedLockFacts {
  name: string;
  /** Who holds it, or null. */
  owner: Owner | null;
}

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
export class Lock extends LockHandle {
  /**
   * @param options with a name: `x` or `shm://x`
   * @throws MultiprocessingError with a name: ERR_MP_ACCESS, ERR_MP_MEMORY, ERR_MP_DAMAGED, ERR_MP_LAYOUT_VERSION,
   * ERR_MP_PARTICIPANTS, ERR_MP_LIMIT
   */
  constructor(options?: NamedLockOptions);
  /** @internal */
  constructor(reference: Reference | NamedReference);
  constructor(given?: unknown) {
    if (given instanceof Reference || given instanceof NamedReference) {
      super(given);
      return;
    }
    const named = namedOptions(namedLock, given);
    super(named === null ? Reference.create(native.layout.kindLock, 0) : openNamed(namedLock, named));
  }

  /**
   * Takes a name away. Those that have the lock open keep it, and still exclude each other; whoever opens the name from
   * then on gets another lock.
   * @throws MultiprocessingError ERR_MP_NOT_FOUND, ERR_MP_ACCESS
   */
  static delete(name: string): void {
    deleteNamed(namedLock, name);
  }

  /** The locks with a name that this user may read, and who holds them. Damaged ones are not among them. */
  static list(): NamedLockFacts[] {
    return listNamed(namedLock, (name, { owner }) => ({ name, owner: toOwner(owner) }));
  }

  /** The name it was opened with; null for a lock without one. */
  get name(): string | null {
    return nameOf(this.opened('name').reference);
  }

  protected override get kindName(): string {
    return 'Lock';
  }

  /**
   * Waits for the lock without blocking the event loop, which is kept alive meanwhile.
   * @throws TimeoutError after `timeout` milliseconds (0 tries once), the signal's reason when aborted, ClosedError after
   * close()
   */
  acquire(options?: number | WaitOptions): Promise<Guard> {
    return watching || detects(options)
      ? watched(options, (call) => this.#acquire(options, call))
      : this.#acquire(options, null);
  }

  async #acquire(options: number | WaitOptions | undefined, call: Call | null): Promise<Guard> {
    const what = 'Lock.acquire()';
    const state = this.opened('acquire()');
    const { timeout, signal } = parseWait(options, what);
    signal?.throwIfAborted();
    if (takeFree(state)) return new Guard(state, state.take(), false);
    if (timeout === 0) {
      const outcome = state.try();
      if (!isTaken(outcome)) throw new TimeoutError(`${what}: the lock is held`);
      return took(state, new Guard(state, state.take(), outcome === Outcome.abandoned), call);
    }
    const granted = (abandoned: boolean): Guard =>
      took(state, new Guard(state, state.take(), abandoned), call);
    return acquireLater({
      line: state,
      reference: state.reference,
      call,
      handle: this,
      what,
      timeout,
      signal,
      missed: 'the lock was not free',
      granted,
    });
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
    const { timeout } = parseSyncWait(options, what);
    const outcome = state.wait(timeout, what, detects(options));
    if (!isTaken(outcome)) throw new TimeoutError(`${what}: the lock was not free within ${timeout} ms`);
    return took(state, new Guard(state, state.take(), outcome === Outcome.abandoned));
  }

  /** Takes the lock if nobody alive holds it; never waits. Null: it is held. (`using` of null runs unlocked!) */
  tryAcquire(): Guard | null {
    const state = this.opened('tryAcquire()');
    if (cas(state.fast, 0, me) === 0) return new Guard(state, state.take(), false);
    const outcome = state.try();
    return isTaken(outcome)
      ? took(state, new Guard(state, state.take(), outcome === Outcome.abandoned))
      : null;
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
      return await (watching ? runBody(body, guard) : body(guard));
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
registerKind<Handle & { name: unknown; id: unknown }>(
  'NamedLock',
  ({ name, id }) => new Lock(reopenNamed(namedLock, name, id)),
);
