import { inspect } from 'node:util';
import { MultiprocessingError } from '../errors.js';
import { damaged, Reference, slotWords } from '../memory/arena.js';
import { rangeError, show, typeError } from '../native/arguments.js';
import { native } from '../native/load.js';
import { grant, type Handle, openHandle, pin, registerKind, toHandle } from '../transfer/handle.js';
import { ConditionState } from './condition-state.js';
import type { Guard } from './guard.js';
import { Lock } from './lock.js';
import { LockHandle } from './lock-handle.js';
import { RLock, type RLockGuard } from './rlock.js';
import { word, wordsPerSlot } from './seat.js';
import { openObject, type SyncAddress, SyncHandle } from './sync-handle.js';
import { waitLater } from './wait-later.js';
import { parseSyncWait, parseWait, type SyncWaitOptions, type WaitOptions } from './wait-options.js';

/** As many as there are. */
const all = 2 ** 32 - 1;

/**
 * A condition variable: those who hold its lock wait, giving the lock up meanwhile, until others that hold it notify them.
 *
 * No notify is lost and no wait ends without one: who waits is counted before its lock is free, and if a waiter that was
 * notified dies before it has its lock back, another one that waited then is notified in its place. `notify()` never waits
 * for anybody. Environments take turns; of one environment's tasks the oldest is first. Costs 64 bytes of shared memory, 64
 * more for each thread that uses it, and its lock.
 *
 * ```js
 * const guard = await condition.acquire();
 * try { await condition.waitFor(() => jobs.value > 0); jobs.add(-1) } finally { guard.release() }
 * ```
 */
export class Condition<L extends Lock | RLock = Lock | RLock> extends SyncHandle<ConditionState> {
  readonly #lock: L;
  readonly #ownsLock: boolean;

  /**
   * @param lock a Lock or RLock, for several conditions with one lock; without it the condition makes a Lock of its own
   */
  constructor(lock?: L);
  /** @internal */
  constructor(reference: Reference, lock: L);
  constructor(given?: unknown, opened?: L) {
    if (given instanceof Reference) {
      super(ConditionState.of(given));
      this.#lock = opened!;
      this.#ownsLock = true; // this handle of it
      return;
    }
    if (given !== undefined && !(given instanceof Lock) && !(given instanceof RLock))
      throw typeError(`new Condition(): expects a Lock or an RLock, not ${show(given)}`);
    if (given?.closed === true) throw typeError('new Condition(): this handle of a lock was closed');
    super(ConditionState.of(Reference.create(native.layout.kindCondition, 0)));
    this.#ownsLock = given === undefined;
    this.#lock = (given ?? new Lock()) as L;
  }

  protected override get kindName(): string {
    return 'Condition';
  }

  /** The lock that is held around everything. */
  get lock(): L {
    return this.#lock;
  }

  /** How many tasks wait right now, of all environments. Does not block. */
  get waiters(): number {
    return native.monitorFields(this.opened('waiters').index)[0]!;
  }

  /** The lock's `acquire()`. */
  async acquire(options?: number | WaitOptions): Promise<Guard | RLockGuard> {
    this.opened('acquire()');
    return this.#lock.acquire(options);
  }

  /** The lock's `acquireSync()`. */
  acquireSync(options?: number | SyncWaitOptions): Guard | RLockGuard {
    this.opened('acquireSync()');
    return this.#lock.acquireSync(options);
  }

  /** The lock's `tryAcquire()`. */
  tryAcquire(): Guard | RLockGuard | null {
    this.opened('tryAcquire()');
    return this.#lock.tryAcquire();
  }

  /** The lock's `release()`. */
  release(): void {
    this.opened('release()');
    this.#lock.release();
  }

  /** The lock's `runExclusive()`: runs `body` while holding it, and releases it whatever happens. */
  async runExclusive<T>(
    body: (guard: Guard | RLockGuard) => T | PromiseLike<T>,
    options?: number | WaitOptions,
  ): Promise<T> {
    this.opened('runExclusive()');
    return this.#lock.runExclusive(body, options);
  }

  /** The lock's `runExclusiveSync()`: the same for a synchronous `body`, blocking this thread. */
  runExclusiveSync<T>(body: (guard: Guard | RLockGuard) => T, options?: number | SyncWaitOptions): T {
    this.opened('runExclusiveSync()');
    return this.#lock.runExclusiveSync(body, options);
  }

  /**
   * Gives the lock up, waits until notified, and gets it back, without blocking the event loop. True: notified. False: not
   * within `timeout` milliseconds. The guard that is out stays good, an RLock comes back as deep as it was.
   * @throws MultiprocessingError `ERR_MP_NOT_HELD` if this environment does not hold the lock; the signal's reason when
   * aborted, with the lock; ClosedError after close(), without it
   */
  async wait(options?: number | WaitOptions): Promise<boolean> {
    const { timeout, signal } = parseWait(options, 'Condition.wait()');
    const state = this.#held('wait()');
    signal?.throwIfAborted();
    return waitLater<boolean>({
      handle: this,
      timeout,
      signal,
      begin: (task) => {
        state.add(task, this.#lock);
      },
      timedOut(task) {
        state.timedOut(task);
      },
      aborted(task, reason) {
        state.aborted(task, reason);
      },
    });
  }

  /**
   * The same, blocking this thread. Other tasks of this thread do not run meanwhile: a notify has to come from elsewhere.
   * @throws InterruptedError, with the lock; `ERR_MP_NOT_HELD`, ClosedError
   */
  waitSync(options?: number | SyncWaitOptions): boolean {
    const what = 'Condition.waitSync()';
    const { timeout } = parseSyncWait(options, what);
    return this.#held('waitSync()').waitSync(this.#lock, timeout, what);
  }

  /**
   * Waits, as often as it takes, until `predicate` is true; it is called with the lock held. Resolves to what it returned
   * last: something false if that was not so within `timeout` milliseconds.
   */
  async waitFor<T>(predicate: () => T | PromiseLike<T>, options?: number | WaitOptions): Promise<T> {
    const { timeout, signal } = parseWait(options, 'Condition.waitFor()');
    checkPredicate(predicate, 'Condition.waitFor()');
    this.#held('waitFor()');
    const end = performance.now() + timeout;
    for (;;) {
      const result = await predicate();
      const left = end - performance.now();
      if (Boolean(result) || left <= 0) return result;
      await this.wait({ timeout: left, signal });
    }
  }

  /** The same, blocking this thread. */
  waitForSync<T>(predicate: () => T, options?: number | SyncWaitOptions): T {
    const { timeout } = parseSyncWait(options, 'Condition.waitForSync()');
    checkPredicate(predicate, 'Condition.waitForSync()');
    this.#held('waitForSync()');
    const end = performance.now() + timeout;
    for (;;) {
      const result = predicate();
      const left = end - performance.now();
      if (Boolean(result) || left <= 0) return result;
      this.waitSync(left);
    }
  }

  /**
   * Notifies up to `n` tasks that wait; returns how many. They go on when they have the lock. Is not remembered if nobody
   * waits. Does not block.
   * @throws MultiprocessingError `ERR_MP_NOT_HELD` if this environment does not hold the lock
   */
  notify(n = 1): number {
    if (!Number.isInteger(n) || n < 0 || n > all) {
      const wrong = typeof (n as unknown) === 'number' ? rangeError : typeError;
      throw wrong(`Condition.notify(): expects a whole number from 0, not ${show(n)}`);
    }
    return this.#notify(n, 'notify()');
  }

  /** Notifies all that wait; returns how many. */
  notifyAll(): number {
    return this.#notify(all, 'notifyAll()');
  }

  #notify(n: number, what: string): number {
    const state = this.#held(what);
    // Only with the lock, which we hold, does anybody begin to wait.
    if (slotWords[state.index * wordsPerSlot + word.waiting] === 0) return 0;
    return state.notify(n);
  }

  override close(): void {
    super.close();
    if (this.#ownsLock) this.#lock.close();
  }

  override [toHandle](): Handle {
    return { ...super[toHandle](), lock: this.#lock[toHandle]() } as ConditionAddress;
  }

  override [pin](): () => void {
    const unpins = [super[pin](), this.#lock[pin]()];
    return () => {
      for (const unpin of unpins) unpin();
    };
  }

  override [grant](ownerId: number): void {
    super[grant](ownerId);
    this.#lock[grant](ownerId);
  }

  [inspect.custom](): string {
    if (this.state === null) return '<Condition closed>';
    const { waiters } = this;
    const lock = this.#lock[inspect.custom]();
    return `<Condition lock=${lock}${waiters === 0 ? '' : ` waiters=${waiters}`}>`;
  }

  /** The state, if this environment holds the lock. */
  #held(what: string): ConditionState {
    const state = this.opened(what);
    if (this.#lock.lockState.reallyHeld) return state;
    throw new MultiprocessingError(
      'ERR_MP_NOT_HELD',
      `Condition.${what}: this environment does not hold the lock; acquire() it first`,
    );
  }
}

interface ConditionAddress extends SyncAddress {
  readonly lock: Handle;
}

function checkPredicate(predicate: unknown, what: string): void {
  if (typeof predicate !== 'function') throw typeError(`${what}: expects a function, not ${show(predicate)}`);
}

registerKind<ConditionAddress>('Condition', ({ lock, ...address }) => {
  const opened = typeof lock === 'object' && (lock as Handle | null) !== null ? openHandle(lock) : null;
  if (!(opened instanceof LockHandle)) throw damaged('Condition');
  try {
    const reference = openObject(address, native.layout.kindCondition, 'Condition');
    return new Condition(reference, opened as Lock | RLock);
  } catch (error) {
    opened.close();
    throw error;
  }
});
