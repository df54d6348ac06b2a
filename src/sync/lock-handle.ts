import { inspect } from 'node:util';
import { cas, damaged, me, Reference } from '../memory/arena.js';
import { Outcome } from '../native/arena-binding.js';
import { native } from '../native/load.js';
import { type LockReference, LockState, type Suspended } from './lock-state.js';
import { nameText } from './named-lock.js';
import { ownerText, type Owner } from './owner.js';
import { type SyncAddress, SyncHandle } from './sync-handle.js';

export type LockAddress = SyncAddress;

/** What Lock and RLock have in common: a handle on a lock word. */
export abstract class LockHandle extends SyncHandle<LockState> {
  protected constructor(reference: LockReference) {
    super(LockState.of(reference));
  }

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
