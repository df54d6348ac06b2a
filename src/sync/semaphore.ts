import { inspect } from 'node:util';
import { MultiprocessingError, TimeoutError } from '../errors.js';
import { Reference } from '../memory/arena.js';
import { rangeError, show, typeError } from '../native/arguments.js';
import { native } from '../native/load.js';
import { Grant } from '../native/monitor-binding.js';
import { type Handle, registerKind } from '../transfer/handle.js';
import { acquireLater } from './acquire-later.js';
import {
  deleteNamed,
  listNamed,
  type NamedClass,
  namedBoundedSemaphore,
  type NamedLockOptions,
  NamedReference,
  namedSemaphore,
  nameOf,
  nameText,
  openNamed,
  reopenNamed,
} from './named-lock.js';
import { type Call, detects, took, watched, watching } from './deadlock.js';
import { type SemaphoreGuard, SemaphoreState } from './semaphore-state.js';
import { ExclusiveHandle, openObject, type SyncAddress, type SyncReference } from './sync-handle.js';
import { parseSyncWait, parseWait, type SyncWaitOptions, type WaitOptions } from './wait-options.js';

/** The greatest value: 2³¹ - 1, as Python's. */
const valueMax = 2 ** 31 - 1;

export type { SemaphoreGuard };

export interface SemaphoreWaitOptions extends WaitOptions {
  /** False: the unit is consumed, and nobody gives it back: for signalling. True by default. */
  owned?: boolean | undefined;
}
export interface SemaphoreSyncWaitOptions extends SyncWaitOptions {
  owned?: boolean | undefined;
}
export interface NamedSemaphoreOptions extends NamedLockOptions {
  /** How many units there are, if this call makes it; 1 by default. */
  value?: number | undefined;
}
export interface NamedSemaphoreFacts {
  name: string;
  /** How many units are free. */
  value: number;
}

/**
 * A semaphore: so many units that processes and threads take and give back.
 *
 * A guard's unit comes back when its holder dies, by whatever cause; the next one to get a unit then has
 * `guard.abandoned === true`. Those who wait are served in the order in which their environments asked; nobody takes a
 * unit past them, unless their event loop leaves it lying for 10 ms. Costs 64 bytes of shared memory, 64 more for each thread that uses it, and no descriptor.
 *
 * ```js
 * const guard = await semaphore.acquire();
 * try { … } finally { guard.release() }
 * ```
 */
export class Semaphore extends ExclusiveHandle<SemaphoreState, SemaphoreGuard> {
  /**
   * @param value how many units there are: 0 to 2³¹ - 1; 1 by default
   * @param options with a name: as of {@link Lock}. What exists keeps its own value
   */
  constructor(value?: number | NamedSemaphoreOptions);
  /** @internal */
  constructor(reference: Reference | NamedReference);
  constructor(given?: unknown) {
    super(SemaphoreState.of(referenceFor(new.target, given)));
  }

  /** @internal */
  protected static readonly named: NamedClass = namedSemaphore;
  /** @internal The object's detail: 1 if its value is bounded. */
  protected static readonly detail: number = 0;

  /** @internal The object behind what a constructor was given. */
  static referenceFor(given: unknown): SyncReference {
    if (given instanceof Reference || given instanceof NamedReference) return given;
    const { named, detail } = this;
    const what = `new ${named.className}()`;
    if (given === undefined || typeof given === 'number') {
      const value = parseValue(given ?? 1, what);
      const reference = Reference.create(native.layout.kindSemaphore, detail);
      native.initSemaphore(reference.slot, value, detail === 1 ? value + 1 : 0);
      return reference;
    }
    if (typeof given !== 'object' || given === null)
      throw typeError(`${what}: expects a number of units or { name, value, mode }, not ${show(given)}`);
    const { name, mode, value } = given as Partial<NamedSemaphoreOptions>;
    if (name === undefined)
      throw typeError(`${what}: the options need a name; without a name give the value`);
    const units = parseValue(value ?? 1, what);
    return openNamed(named, { name, mode }, { units, bound: detail === 1 ? units + 1 : 0 });
  }

  /** Takes a name away: as {@link Lock.delete}. */
  static delete(name: string): void {
    deleteNamed(this.named, name);
  }

  /** Those with a name that this user may read, and how many of their units are free. */
  static list(): NamedSemaphoreFacts[] {
    return listNamed(this.named, (name, { fields }) => ({ name, value: fields[1]! }));
  }

  /** The name it was opened with; null for one without. */
  get name(): string | null {
    return nameOf(this.opened('name').reference);
  }

  protected override get kindName(): string {
    return 'Semaphore';
  }

  /** How many units are free right now. Does not block. */
  get value(): number {
    return native.monitorFields(this.opened('value').index)[1]!;
  }

  /** How many environments (main threads and worker threads) wait right now. */
  get waiters(): number {
    return native.monitorFields(this.opened('waiters').index)[0]!;
  }

  /**
   * Waits for a unit without blocking the event loop, which is kept alive meanwhile.
   * @throws TimeoutError, the signal's reason, or ClosedError
   */
  acquire(options?: number | SemaphoreWaitOptions): Promise<SemaphoreGuard> {
    return watching || detects(options)
      ? watched(options, (call) => this.#acquire(options, call))
      : this.#acquire(options, null);
  }

  async #acquire(
    options: number | SemaphoreWaitOptions | undefined,
    call: Call | null,
  ): Promise<SemaphoreGuard> {
    const what = `${this.kindName}.acquire()`;
    const state = this.opened('acquire()');
    const { timeout, signal } = parseWait(options, what);
    const owned = parseOwned(options, what);
    signal?.throwIfAborted();
    if (state.queued === 0 && state.takeFast()) return state.guard(false, owned);
    if (timeout === 0) {
      const grant = state.try(null);
      if (grant === Grant.waits) throw new TimeoutError(`${what}: no unit is free`);
      return took(state, state.guard(grant === Grant.told, owned), call);
    }
    return acquireLater({
      line: state.line(null),
      reference: state.reference,
      call,
      handle: this,
      what,
      timeout,
      signal,
      missed: 'no unit was free',
      granted: (told) => took(state, state.guard(told, owned), call),
    });
  }

  /**
   * Waits for a unit, blocking this thread.
   * @throws TimeoutError, InterruptedError, or ClosedError
   */
  acquireSync(options?: number | SemaphoreSyncWaitOptions): SemaphoreGuard {
    const state = this.opened('acquireSync()');
    if (options === undefined && state.takeFast()) return state.guard(false, true);
    const what = `${this.kindName}.acquireSync()`;
    const { timeout } = parseSyncWait(options, what);
    const owned = parseOwned(options, what);
    const grant = state.wait(null, timeout, what, timeout > 0 && detects(options));
    if (grant === Grant.waits) throw new TimeoutError(`${what}: no unit was free within ${timeout} ms`);
    return took(state, state.guard(grant === Grant.told, owned));
  }

  /** Takes a unit if one is free and nobody waits for it; never waits. Null: none. (`using` of null runs without one!) */
  tryAcquire(options?: { owned?: boolean | undefined }): SemaphoreGuard | null {
    const state = this.opened('tryAcquire()');
    const owned = parseOwned(options, `${this.kindName}.tryAcquire()`);
    if (state.takeFast()) return state.guard(false, owned);
    const grant = state.try(null);
    return grant === Grant.waits ? null : took(state, state.guard(grant === Grant.told, owned));
  }

  /**
   * Adds units. Those this environment holds are given back first, the latest guard's first, which is void from then on;
   * what is left are new ones. Wakes those who wait. Does not block.
   * @throws RangeError if that would be more than 2³¹ - 1, or than a BoundedSemaphore may have; nothing has happened then
   */
  release(units = 1): void {
    const what = `${this.kindName}.release()`;
    const state = this.opened('release()');
    if (!Number.isInteger(units) || units < 1 || units > valueMax) {
      const wrong = typeof (units as unknown) === 'number' ? rangeError : typeError;
      throw wrong(`${what}: expects a whole number of units from 1, not ${show(units)}`);
    }
    const own = native.semaphorePost(state.index, state.seat, units);
    if (own < 0) throw this.overRelease(what);
    state.guards.splice(Math.max(0, state.guards.length - own));
  }

  /** @internal */
  protected overRelease(what: string): Error {
    return rangeError(`${what}: the value would be greater than ${valueMax}`);
  }

  [inspect.custom](): string {
    if (this.state === null) return `<${this.kindName} closed>`;
    const [waiting, free, all] = native.monitorFields(this.state.index);
    return `<${this.kindName}${nameText(this.state.reference)} value=${free} of ${all}${waiting === 0 ? '' : ` waiters=${waiting}`}>`;
  }
}

/**
 * A semaphore whose value cannot grow beyond what it began with: giving back more than was taken is an error, exactly, also
 * among several processes.
 *
 * `release()` by somebody who holds no unit gives back another holder's: it is then that guard which is void.
 */
export class BoundedSemaphore extends Semaphore {
  /** @internal */
  protected static override readonly named = namedBoundedSemaphore;
  /** @internal */
  protected static override readonly detail = 1;

  protected override get kindName(): string {
    return 'BoundedSemaphore';
  }

  /** @internal */
  protected override overRelease(what: string): Error {
    return new MultiprocessingError('ERR_MP_OVER_RELEASE', `${what}: more units given back than were taken`);
  }
}

function referenceFor(cls: typeof Semaphore, given: unknown): SyncReference {
  return cls.referenceFor(given);
}

function parseValue(value: unknown, what: string): number {
  if (typeof value !== 'number') throw typeError(`${what}: the value must be a number, not ${show(value)}`);
  if (!Number.isInteger(value) || value < 0 || value > valueMax)
    throw rangeError(`${what}: the value must be a whole number from 0 to ${valueMax}, not ${value}`);
  return value;
}

function parseOwned(options: unknown, what: string): boolean {
  const owned: unknown = (options as { owned?: unknown } | null | undefined)?.owned ?? true;
  if (typeof owned !== 'boolean') throw typeError(`${what}: owned must be true or false, not ${show(owned)}`);
  return owned;
}

const kind = native.layout.kindSemaphore;
registerKind<SyncAddress>('Semaphore', (a) => new Semaphore(openObject(a, kind, 'Semaphore', 0)));
registerKind<SyncAddress>(
  'BoundedSemaphore',
  (a) => new BoundedSemaphore(openObject(a, kind, 'BoundedSemaphore', 1)),
);
registerKind<Handle & { name: unknown; id: unknown }>(
  'NamedSemaphore',
  ({ name, id }) => new Semaphore(reopenNamed(namedSemaphore, name, id)),
);
registerKind<Handle & { name: unknown; id: unknown }>(
  'NamedBoundedSemaphore',
  ({ name, id }) => new BoundedSemaphore(reopenNamed(namedBoundedSemaphore, name, id)),
);
