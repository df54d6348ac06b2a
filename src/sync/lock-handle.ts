import { inspect } from 'node:util';
import { cas, damaged, me, Reference } from '../memory/arena.js';
import { Outcome } from '../native/arena-binding.js';
import { native } from '../native/load.js';
import { TimeoutError } from '../errors.js';
import { acquireLater } from './acquire-later.js';
import { type Call, detects, took, watched, watching } from './deadlock.js';
import type { Guard } from './guard.js';
import { type LockReference, LockState, type Suspended } from './lock-state.js';
import {
  deleteNamed,
  listNamed,
  type NamedClass,
  namedOptions,
  NamedReference,
  nameOf,
  nameText,
  openNamed,
} from './named-lock.js';
import { ownerText, type Owner, toOwner } from './owner.js';
import type { RLockGuard } from './rlock.js';
import { ExclusiveHandle, type SyncAddress } from './sync-handle.js';
import { beginWait, type WaitOptions } from './wait-options.js';

export type LockAddress = SyncAddress;

export interface NamedLockFacts {
  name: string;
  /** Who holds it, or null. */
  owner: Owner | null;
}

/** What Lock and RLock have in common: a handle on a lock word. G: the guard. */
export abstract class LockHandle<
  G extends { release(): void; readonly abandoned: boolean } = Guard | RLockGuard,
> extends ExclusiveHandle<LockState, G> {
  /** @internal */
  protected static readonly named: NamedClass;

  /** `detail`: what the object's detail is, if it is made by this call. */
  protected constructor(given: unknown, named: NamedClass, detail: number) {
    super(LockState.of(referenceFor(given, named, detail)));
  }

  /**
   * Takes a name away. Those that have the lock open keep it, and still exclude each other; whoever opens the name from
   * then on gets another lock.
   * @throws MultiprocessingError ERR_MP_NOT_FOUND, ERR_MP_ACCESS
   */
  static delete(name: string): void {
    deleteNamed(this.named, name);
  }

  /** The locks with a name that this user may read, and who holds them. Damaged ones are not among them. */
  static list(): NamedLockFacts[] {
    return listNamed(this.named, (name, { owner }) => ({ name, owner: toOwner(owner) }));
  }

  /** The name it was opened with; null for a lock without one. */
  get name(): string | null {
    return nameOf(this.opened('name').reference);
  }

  /**
   * Waits for the lock without blocking the event loop, which is kept alive meanwhile; also when another task of this
   * environment holds it.
   * @throws TimeoutError after `timeout` milliseconds (0 tries once), the signal's reason when aborted, ClosedError after
   * close()
   */
  override acquire(options?: number | WaitOptions): Promise<G> {
    return watching || detects(options)
      ? watched(options, (call) => this.#acquire(options, call))
      : this.#acquire(options, null);
  }

  async #acquire(options: number | WaitOptions | undefined, call: Call | null): Promise<G> {
    const what = `${this.kindName}.acquire()`;
    const state = this.opened('acquire()');
    const { timeout, signal } = beginWait(options, what);
    if (takeFree(state)) return this.taken(state, false);
    if (timeout === 0) {
      const outcome = state.try();
      if (!isTaken(outcome)) throw new TimeoutError(`${what}: the lock is held`);
      return took(state, this.taken(state, outcome === Outcome.abandoned), call);
    }
    return acquireLater({
      line: state,
      reference: state.reference,
      call,
      handle: this,
      what,
      timeout,
      signal,
      missed: 'the lock was not free',
      granted: (abandoned: boolean) => took(state, this.taken(state, abandoned), call),
    });
  }

  /** @internal The lock is ours: an acquisition begins. */
  protected abstract taken(state: LockState, abandoned: boolean): G;

  /** Whether somebody alive holds the lock right now. Does not block. */
  get locked(): boolean {
    return this.opened('locked').locked;
  }

  /** Who holds the lock right now, or null. Does not block. */
  get owner(): Owner | null {
    return this.opened('owner').owner;
  }

  /** How many environments (main threads and worker threads) wait for it right now. The dead are not counted. */
  get waiters(): number {
    return native.lockWaiters(this.opened('waiters').reference.slot);
  }

  [inspect.custom](): string {
    if (this.state === null) return `<${this.kindName} closed>`;
    const { owner, waiters } = this;
    const held = owner === null ? 'free' : `owner=${ownerText(owner)}`;
    return `<${this.kindName}${nameText(this.state.reference)} ${held}${waiters === 0 ? '' : ` waiters=${waiters}`}>`;
  }

  /** @internal Of a lock this environment holds: gives it up, however deep, for `resume` to get it back as it was. */
  suspend(): Suspended {
    return this.opened('suspend()').suspend();
  }

  /** @internal The lock is ours again: the guards that were out are good again. */
  resume(suspended: Suspended, abandoned: boolean): void {
    this.opened('resume()').resume(suspended, abandoned);
  }

  /** @internal */
  get lockState(): LockState {
    return this.opened('wait()');
  }
}

function referenceFor(given: unknown, named: NamedClass, detail: number): LockReference {
  if (given instanceof Reference || given instanceof NamedReference) return given;
  const options = namedOptions(named, given);
  return options === null ? Reference.create(native.layout.kindLock, detail) : openNamed(named, options);
}

/** Whether a bare compare-and-swap takes the lock: free, and no task of this environment in line for it. */
export function takeFree(state: LockState): boolean {
  return !state.busy && cas(state.fast, 0, me) === 0;
}

export function isTaken(outcome: Outcome): boolean {
  return outcome === Outcome.acquired || outcome === Outcome.abandoned;
}

/** The lock behind a handle that has travelled. */
export function openLock(address: LockAddress, what: string, recursive: boolean): Reference {
  const { kindArray, kindLock, kindValue } = native.layout;
  const { kind } = address;
  // The lock of a Value or an Array is an RLock; a lock of its own says in its detail which of the two it is.
  const isOfAnother = kind === kindValue || kind === kindArray;
  if (kind !== kindLock && !(isOfAnother && recursive)) throw damaged(what);
  const reference = Reference.open(address, kind, what);
  if (kind === kindLock && (reference.detail === 1) !== recursive) {
    reference.release();
    throw damaged(what);
  }
  return reference;
}
