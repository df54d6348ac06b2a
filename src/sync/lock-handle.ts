import { inspect } from 'node:util';
import { ClosedError } from '../errors.js';
import { type Address, cas, damaged, me, Reference } from '../memory/arena.js';
import { Outcome } from '../native/arena-binding.js';
import { native } from '../native/load.js';
import { grant, type Handle, pin, type Shareable, toHandle } from '../transfer/handle.js';
import { type LockReference, LockState } from './lock-state.js';
import type { Owner } from './owner.js';

/** What travels for a lock: where it lies, and in which kind of object. */
export interface LockAddress extends Handle, Address {
  readonly kind: number;
}

/** What Lock and RLock have in common: a handle on a lock word. */
export abstract class LockHandle implements Disposable, Shareable {
  /** @internal null after close(). */
  protected state: LockState | null;

  protected constructor(reference: LockReference) {
    this.state = LockState.of(reference);
  }

  /** The class's name in messages and handles. */
  protected abstract readonly kindName: string;

  /** Whether somebody alive holds the lock right now. Does not block. */
  get locked(): boolean {
    return this.opened('locked').locked;
  }

  /** Who holds the lock right now, or null. Does not block. */
  get owner(): Owner | null {
    return this.opened('owner').owner;
  }

  /**
   * Detaches this handle; its other methods then throw ClosedError, and its pending acquisitions reject with one. A guard
   * that is out stays good. The lock itself lasts as long as anybody has a handle. Twice is harmless.
   */
  close(): void {
    const { state } = this;
    if (state === null) return;
    this.state = null;
    state.failRequests(this, () => this.#closed('acquire()'));
    state.reference.release();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [toHandle](): Handle {
    const { reference } = this.opened('share()');
    const { named, kind, address } = reference;
    return named === true
      ? { multiproc: `Named${this.kindName}`, ...address }
      : ({ multiproc: this.kindName, kind, ...address } as LockAddress);
  }

  [pin](): () => void {
    return this.opened('share()').reference.pin();
  }

  [grant](ownerId: number): void {
    this.opened('share()').reference.grant(ownerId);
  }

  [inspect.custom](): string {
    if (this.state === null) return `<${this.kindName} closed>`;
    const { owner } = this;
    if (owner === null) return `<${this.kindName} free>`;
    return `<${this.kindName} owner=${owner.name}${owner.thread === 0 ? '' : ` thread=${owner.thread}`}>`;
  }

  /** @internal Whether close() was called. */
  get closed(): boolean {
    return this.state === null;
  }

  /** The state, if this handle is open. */
  protected opened(what: string): LockState {
    if (this.state === null) throw this.#closed(what);
    return this.state;
  }

  #closed(what: string): ClosedError {
    return new ClosedError(`${this.kindName}.${what}: this handle was closed`);
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
