import { ClosedError } from '../errors.js';
import { type Address, damaged, Reference } from '../memory/arena.js';
import { show, typeError } from '../native/arguments.js';
import { runBody, watching } from './deadlock.js';
import type { Task } from './deadlock-tasks.js';
import { grant, type Handle, pin, type Shareable, toHandle } from '../transfer/handle.js';
import type { SyncWaitOptions, WaitOptions } from './wait-options.js';

/** What a handle stands for: an object of the arena (memory/arena.ts), or a named one (named-lock.ts). */
export interface SyncReference {
  /** Its index for the addon. */
  readonly slot: number;
  /** Whether its words are not those of the arena: every call goes through the addon. */
  readonly named?: boolean;
  /** Of a named one. */
  readonly of?: { readonly className: string };
  readonly kind?: number;
  /** What its handle says beside the class: where it is. */
  readonly address: object;
  local: LocalState | undefined;
  /** Of a named one whose memory others have spoilt. */
  damagedError?(what: string): Error;
  release(): void;
  settle(): void;
  pin(): () => void;
  grant(ownerId: number): void;
}

/** What one environment keeps beside a shared object; all its handles of the object share it. */
export interface LocalState {
  /** Something here still uses the object although no handle is open: a guard, or a request. */
  readonly mustStay: boolean;
  /** Called before the object is given back. */
  leave?(): void;
  /** This process is a fork of the one that was here: nothing is held or waited for by it. */
  forked?(): void;
  /** Deadlock detection begins: no fast path takes anything from now on. */
  slowDown?(): void;
  /**
   * If guards of these tasks (null: of anybody here) keep others from getting it: where the edge for that lies; else 0.
   */
  edgeSlot?(tasks: readonly Task[] | null): number;
}

/** The state behind a handle. */
export interface SyncState {
  readonly reference: SyncReference;
  /** Ends every request made through a handle. */
  failRequests(handle: object, reason: () => unknown): void;
}

/** What travels: where the object lies, and of which kind it is. */
export interface SyncAddress extends Handle, Address {
  readonly kind: number;
}

/** What all primitives have in common: a handle on shared state, which can be closed and can travel. */
export abstract class SyncHandle<S extends SyncState> implements Disposable, Shareable {
  /** @internal null after close(). */
  protected state: S | null;

  protected constructor(state: S) {
    this.state = state;
  }

  /** The class's name in messages and handles. */
  protected abstract readonly kindName: string;

  /**
   * Detaches this handle; its other methods then throw ClosedError, and its pending calls reject with one. A guard that is
   * out stays good. The object itself lasts as long as anybody has a handle. Twice is harmless.
   */
  close(): void {
    const { state } = this;
    if (state === null) return;
    this.state = null;
    state.failRequests(
      this,
      () => new ClosedError(`${this.kindName}: this handle was closed while a call of it waited`),
    );
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
      : ({ multiproc: this.kindName, kind, ...address } as SyncAddress);
  }

  [pin](): () => void {
    return this.opened('share()').reference.pin();
  }

  [grant](ownerId: number): void {
    this.opened('share()').reference.grant(ownerId);
  }

  /** @internal Whether close() was called. */
  get closed(): boolean {
    return this.state === null;
  }

  /** The state, if this handle is open. */
  protected opened(what: string): S {
    if (this.state === null) throw this.#closed(what);
    return this.state;
  }

  #closed(what: string): ClosedError {
    return new ClosedError(`${this.kindName}.${what}: this handle was closed`);
  }
}

/** What all primitives have in common that are held while a body runs. */
export abstract class ExclusiveHandle<
  S extends SyncState,
  G extends { release(): void },
> extends SyncHandle<S> {
  /** Waits for it without blocking the event loop, which is kept alive meanwhile. */
  abstract acquire(options?: number | WaitOptions): Promise<G>;
  /** Waits for it, blocking this thread. */
  abstract acquireSync(options?: number | SyncWaitOptions): G;

  /** Runs `body` while holding it, and gives it back whatever happens. Resolves to what `body` returns. */
  async runExclusive<T>(body: (guard: G) => T | PromiseLike<T>, options?: number | WaitOptions): Promise<T> {
    this.#checkBody(body, 'runExclusive()');
    const guard = await this.acquire(options);
    try {
      return await (watching ? runBody(body, guard) : body(guard));
    } finally {
      guard.release();
    }
  }

  /** Runs a synchronous `body` while holding it. Blocks this thread until it is to be had. */
  runExclusiveSync<T>(body: (guard: G) => T, options?: number | SyncWaitOptions): T {
    this.#checkBody(body, 'runExclusiveSync()');
    const guard = this.acquireSync(options);
    try {
      return body(guard);
    } finally {
      guard.release();
    }
  }

  #checkBody(body: unknown, what: string): void {
    if (typeof body !== 'function')
      throw typeError(`${this.kindName}.${what}: expects a function, not ${show(body)}`);
  }
}

/** The object behind a handle that has travelled, if it is of that kind and its detail is as it should be. */
export function openObject(address: SyncAddress, kind: number, what: string, detail?: number): Reference {
  if (address.kind !== kind) throw damaged(what);
  const reference = Reference.open(address, kind, what);
  if (detail !== undefined && reference.detail !== detail) {
    reference.release();
    throw damaged(what);
  }
  return reference;
}
