import { inspect } from 'node:util';
import { ClosedError } from '../errors.js';
import { type Address, cas, me, Reference } from '../memory/arena.js';
import { Outcome } from '../native/arena-binding.js';
import { native } from '../native/load.js';
import { grant, type Handle, pin, type Shareable, toHandle } from '../transfer/handle.js';
import { LockState } from './lock-state.js';
import { describeOwner, type Owner } from './owner.js';

/** What travels for a lock: where it lies, and in which kind of object. */
export interface LockAddress extends Handle, Address {
  readonly kind: number;
}

/** What Lock and RLock have in common: a handle on a lock word. */
export abstract class LockHandle implements Disposable, Shareable {
  /** @internal null after close(). */
  protected state: LockState | null;

  protected constructor(reference: Reference) {
    this.state = LockState.of(reference);
  }

  /** The class's name in messages and handles. */
  protected abstract readonly kindName: string;

  /** Whether somebody alive holds the lock right now. Does not block. */
  get locked(): boolean {
    return this.opened('locked').owner !== 0;
  }

  /** Who holds the lock right now, or null. Does not block. */
  get owner(): Owner | null {
    return describeOwner(this.opened('owner').owner);
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

  [toHandle](): LockAddress {
    const { reference } = this.opened('share()');
    return { multiproc: this.kindName, kind: reference.kind, ...reference.address };
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
export function openLock(address: LockAddress, what: string): Reference {
  const { kindArray, kindLock, kindValue } = native.layout;
  const kind = [kindValue, kindArray].find((known) => known === address.kind) ?? kindLock;
  return Reference.open(address, kind, what);
}
