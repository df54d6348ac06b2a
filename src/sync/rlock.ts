import { MultiprocessingError, TimeoutError } from '../errors.js';
import type { Reference } from '../memory/arena.js';
import { Outcome } from '../native/arena-binding.js';
import { type Handle, registerKind } from '../transfer/handle.js';
import { detects, took } from './deadlock.js';
import { isTaken, type LockAddress, LockHandle, openLock, takeFree } from './lock-handle.js';
import type { LockState } from './lock-state.js';
import { namedRLock, type NamedLockOptions, type NamedReference, reopenNamed } from './named-lock.js';
import { parseSyncWait, type SyncWaitOptions } from './wait-options.js';

/** One level of a re-entrant acquisition. Releasing again is harmless; the lock is free after the last level's release. */
export class RLockGuard implements Disposable {
  readonly #state: LockState;
  readonly #ticket: number;
  #released = false;
  readonly #abandoned: boolean;

  /** @internal */
  constructor(state: LockState, abandoned: boolean) {
    this.#state = state;
    this.#ticket = state.ticket;
    this.#abandoned = abandoned;
    state.depth++;
  }

  /** True if the last owner died holding the lock: check the data before trusting it. */
  get abandoned(): boolean {
    return this.#abandoned || this.#state.told === this.#ticket;
  }

  /** Enters once more, from the task that holds this guard. Never waits. */
  acquire(): RLockGuard {
    if (this.#released || this.#state.ticket !== this.#ticket || !this.#state.reallyHeld) {
      throw new MultiprocessingError(
        'ERR_MP_NOT_HELD',
        'RLockGuard.acquire(): this guard no longer holds the lock',
      );
    }
    return new RLockGuard(this.#state, this.abandoned);
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    const state = this.#state;
    if (state.ticket !== this.#ticket) return;
    if (--state.depth <= 0) state.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/**
 * A lock that its owner may take again: by synchronous calls of the environment that holds it, or by `guard.acquire()`.
 *
 * Two asynchronous tasks of one environment do not re-enter each other: the second `await acquire()` waits. Death of the
 * owner, fairness and cost are those of {@link Lock}. A Value's `lock` is one.
 */
export class RLock extends LockHandle<RLockGuard> {
  /** @param options with a name: as of {@link Lock} */
  constructor(options?: NamedLockOptions);
  /** @internal */
  constructor(reference: Reference | NamedReference);
  constructor(given?: unknown) {
    super(given, namedRLock, 1);
  }

  /** @internal */
  protected static override readonly named = namedRLock;

  protected override get kindName(): string {
    return 'RLock';
  }

  /**
   * Waits for the lock, blocking this thread; enters once more at once if this environment holds it.
   * @throws TimeoutError, InterruptedError, or ClosedError
   */
  acquireSync(options?: number | SyncWaitOptions): RLockGuard {
    const what = 'RLock.acquireSync()';
    const state = this.opened('acquireSync()');
    const { timeout } = parseSyncWait(options, what);
    if (state.reallyHeld) return new RLockGuard(state, false);
    if (takeFree(state)) return this.taken(state, false);
    const outcome = state.wait(timeout, what, detects(options));
    if (!isTaken(outcome)) throw new TimeoutError(`${what}: the lock was not free within ${timeout} ms`);
    return took(state, this.taken(state, outcome === Outcome.abandoned));
  }

  /** Takes the lock, or enters once more, without waiting. Null: another environment holds it. */
  tryAcquire(): RLockGuard | null {
    const state = this.opened('tryAcquire()');
    if (state.reallyHeld) return new RLockGuard(state, false);
    if (takeFree(state)) return this.taken(state, false);
    const outcome = state.try();
    return isTaken(outcome) ? took(state, this.taken(state, outcome === Outcome.abandoned)) : null;
  }

  /**
   * Leaves one level. Only the owning environment may.
   * @throws MultiprocessingError `ERR_MP_NOT_OWNER` if this environment does not hold the lock
   */
  release(): void {
    const state = this.opened('release()');
    if (!state.reallyHeld) {
      const { owner } = this;
      const held = owner === null ? 'it is free' : `${owner.name} (pid ${owner.pid}) holds it`;
      throw new MultiprocessingError(
        'ERR_MP_NOT_OWNER',
        `RLock.release(): not held by this environment: ${held}`,
      );
    }
    if (--state.depth <= 0) state.release();
  }

  /** @internal */
  protected override taken(state: LockState, abandoned: boolean): RLockGuard {
    state.take();
    return new RLockGuard(state, abandoned);
  }
}

registerKind<LockAddress>('RLock', (address) => new RLock(openLock(address, 'RLock', true)));
registerKind<Handle & { name: unknown; id: unknown }>(
  'NamedRLock',
  ({ name, id }) => new RLock(reopenNamed(namedRLock, name, id)),
);
