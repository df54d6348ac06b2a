import type { Readable, Writable } from 'node:stream';
import { inspect } from 'node:util';
import {
  type ReadableStreamOptions,
  toReadable,
  toWeb,
  toWritable,
  type WebStreams,
} from '../connection/streams.js';
import { EmptyError, FullError, ShutDownError } from '../errors.js';
import { pinEach } from '../memory/arena.js';
import type { Packed } from '../message/outgoing.js';
import { rangeError, show, typeError } from '../native/arguments.js';
import { native } from '../native/load.js';
import { SyncHandle } from '../sync/sync-handle.js';
import { type Attempt, waitInLine } from '../sync/wait-line.js';
import {
  parseSyncWait,
  beginWait,
  type SyncWaitOptions,
  type Wait,
  type WaitOptions,
} from '../sync/wait-options.js';
import { grant, type Handle, pin, toHandle } from '../transfer/handle.js';
import { createQueue, type QueueOptions, registerQueue } from './create-queue.js';
import { QueueState } from './queue-state.js';
import { Remaining } from './remaining.js';
import { allRead } from './unreadable.js';

export interface GetOptions extends WaitOptions {
  /**
   * Large typed arrays (from 64 KiB on) are not copied out of shared memory, but used where they lie, until they are collected, or given
   * back by release(). One process holds 256 MiB so at most; beyond, they are copied. Sending one again costs no copy either: then both sides use the same memory.
   */
  shared?: boolean | undefined;
}
export interface SyncGetOptions extends SyncWaitOptions {
  /** As of {@link GetOptions}. */
  shared?: boolean | undefined;
}

/**
 * A queue between processes and threads: many may put, many may get; what one puts comes in the order in which it put it.
 *
 * put() serialises inside the call, as structuredClone() would copy; shared objects travel as what they are. A message is in
 * the queue when put() is done, and stays there although its sender ends. It is bounded: who puts more than it holds waits.
 */
export class Queue<T = unknown> extends SyncHandle<QueueState> implements AsyncIterable<T> {
  /**
   * @param maxsize how many messages it holds at most; 0 or less: as many as its bytes allow
   * @throws RangeError, MultiprocessingError `ERR_MP_MEMORY`
   */
  constructor(maxsize?: number, options?: QueueOptions);
  /** @internal */
  constructor(state: QueueState);
  constructor(given: unknown = 0, options?: unknown) {
    super(given instanceof QueueState ? given : createQueue(new.target.className, given, options));
  }

  /** @internal */
  protected static readonly className: string = 'Queue';

  protected override get kindName(): string {
    return 'Queue';
  }

  /** How many messages it holds at most; 0: as many as its bytes allow. */
  get maxsize(): number {
    return native.queueFacts(this.opened('maxsize').id)[1];
  }

  /**
   * Puts a value, waiting for room without blocking the event loop. It is copied inside the call: it may change afterwards.
   * @throws FullError after `timeout`, ShutDownError after shutdown(), ClosedError, the signal's reason; MultiprocessingError
   * `ERR_MP_CLONE` with the path of what cannot be cloned, `ERR_MP_MESSAGE_SIZE`, `ERR_MP_MEMORY`
   */
  async put(value: T, options?: number | WaitOptions): Promise<void> {
    const what = this.#what('put()');
    const state = this.opened('put()');
    const wait = beginWait(options, what);
    const packed = state.tryPut(value, what, true);
    if (packed !== true) await this.#putLater(state, packed as Packed, wait, what);
  }

  /** Puts a value, blocking this thread until there is room. As {@link put}; InterruptedError. */
  putSync(value: T, options?: number | SyncWaitOptions): void {
    const what = this.#what('putSync()');
    const state = this.opened('putSync()');
    const { timeout } = parseSyncWait(options, what);
    const packed = state.tryPut(value, what, true);
    if (packed !== true) this.#putBlocking(state, packed as Packed, timeout, what);
  }

  /** Puts a value if there is room now, and nobody here waits for it; false if not. */
  tryPut(value: T): boolean {
    return this.opened('tryPut()').tryPut(value, this.#what('tryPut()'), false) as boolean;
  }

  /**
   * Puts values one after the other, many at a time; others may put in between. Takes them from the iterable as there is room.
   * @throws as put(), and what the iterable throws; all values before that one have been put then, but after a timeout, an abort or
   * a shutdown, when some of those that were taken have not
   */
  async putMany(values: Iterable<T>, options?: number | WaitOptions): Promise<void> {
    const what = this.#what('putMany()');
    const remaining = remainingOf(values, what);
    const wait = beginWait(options, what);
    const deadline = performance.now() + wait.timeout;
    try {
      for (;;) {
        const packed = this.opened('putMany()').putSome(remaining, what);
        if (packed === true) return;
        const timeout = Math.max(0, deadline - performance.now());
        await this.#putLater(this.opened('putMany()'), packed, { ...wait, timeout }, what);
      }
    } catch (error) {
      remaining.closeAfter(error);
    }
  }

  /** The same, blocking this thread while there is no room. */
  putManySync(values: Iterable<T>, options?: number | SyncWaitOptions): void {
    const what = this.#what('putManySync()');
    const remaining = remainingOf(values, what);
    const deadline = performance.now() + parseSyncWait(options, what).timeout;
    try {
      for (;;) {
        const state = this.opened('putManySync()');
        const packed = state.putSome(remaining, what);
        if (packed === true) return;
        this.#putBlocking(state, packed, Math.max(0, deadline - performance.now()), what);
      }
    } catch (error) {
      remaining.closeAfter(error);
    }
  }

  /**
   * Gets a message, waiting for one without blocking the event loop, which is kept alive meanwhile.
   * @throws EmptyError after `timeout`, ShutDownError when it was shut down and nothing is left, ClosedError, the signal's reason
   */
  async get(options?: number | GetOptions): Promise<T> {
    const what = this.#what('get()');
    const state = this.opened('get()');
    const wait = beginWait(options, what);
    const shared = sharedOf(options, what);
    const got = state.getters.waiting === 0 ? state.tryGet(shared, what, true) : null;
    if (got !== null) return got.value as T;
    return this.#getLater<unknown>(state, wait, what, (how) => {
      const values = state.getSome(1, shared, what, true, how);
      return values === null ? null : { value: values[0] };
    }).then((value) => allRead([value], what)[0] as T);
  }

  /** Gets a message, blocking this thread until there is one. As {@link get}; InterruptedError. */
  getSync(options?: number | SyncGetOptions): T {
    const what = this.#what('getSync()');
    const state = this.opened('getSync()');
    const { timeout } = parseSyncWait(options, what);
    const shared = sharedOf(options, what);
    const got = state.getters.waiting === 0 ? state.tryGet(shared, what) : null;
    if (got !== null) return got.value as T;
    return allRead(this.#getBlocking(state, 1, shared, timeout, what), what)[0] as T;
  }

  /** Gets a message if there is one now: `{ value }`, or null. @throws ShutDownError when it was shut down and nothing is left */
  tryGet(options?: Pick<GetOptions, 'shared'>): { value: T } | null {
    const what = this.#what('tryGet()');
    return this.opened('tryGet()').tryGet(sharedOf(options, what), what) as { value: T } | null;
  }

  /**
   * Gets up to `n` messages: what is there, at least one, for which it waits as get() does.
   * @throws as get(); MultiprocessingError `ERR_MP_UNREADABLE` if some of several cannot be read (a function's module fails, for
   * one): the others are its `messages`
   */
  async getMany(n: number, options?: number | GetOptions): Promise<T[]> {
    const what = this.#what('getMany()');
    const state = this.opened('getMany()');
    checkCount(n, what);
    const wait = beginWait(options, what);
    const shared = sharedOf(options, what);
    const got =
      (state.getters.waiting === 0 ? state.getSome(n, shared, what, true) : null) ??
      (await this.#getLater<unknown[]>(state, wait, what, (how) => {
        const values = state.getSome(n, shared, what, true, how);
        return values === null ? null : { value: values };
      }));
    return allRead(await Promise.all(this.#fill(state, got, n, shared, what, true)), what) as T[];
  }

  /** The same, blocking this thread until there is one. */
  getManySync(n: number, options?: number | SyncGetOptions): T[] {
    const what = this.#what('getManySync()');
    const state = this.opened('getManySync()');
    checkCount(n, what);
    const { timeout } = parseSyncWait(options, what);
    const shared = sharedOf(options, what);
    const got = state.getSome(n, shared, what, false) ?? this.#getBlocking(state, n, shared, timeout, what);
    return allRead(this.#fill(state, got, n, shared, what, false), what) as T[];
  }

  /** One native call gives no more than a buffer holds. */
  #fill(
    state: QueueState,
    values: unknown[],
    n: number,
    shared: boolean,
    what: string,
    later: boolean,
  ): unknown[] {
    while (values.length < n && state.length > 0) {
      let more: unknown[] | null;
      try {
        more = state.getSome(n - values.length, shared, what, later);
      } catch {
        break; // with what we have: the next call is told
      }
      if (more === null) break;
      values.push(...more);
    }
    return values;
  }

  /** The messages, until the queue is shut down and nothing is left. Leaving the loop leaves the queue as it is. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      let value: T;
      try {
        value = await this.get();
      } catch (error) {
        if (error instanceof ShutDownError) return;
        throw error;
      }
      yield value;
    }
  }

  /** The messages as a stream of Node's, until the queue is shut down and nothing is left. */
  toReadable(options?: Pick<ReadableStreamOptions, 'highWaterMark'>): Readable {
    return toReadable(this, options);
  }

  /** A stream of Node's whose chunks are put. Its end shuts nothing down: others may put. */
  toWritable(): Writable {
    return toWritable(this);
  }

  /** The same two as web streams. */
  toWeb(options?: Pick<ReadableStreamOptions, 'highWaterMark'>): WebStreams {
    return toWeb(this, options);
  }

  /** How many messages are in it: exact, at a moment during the call. */
  qsize(): number {
    return native.queueLength(this.opened('qsize()').id);
  }

  /** Whether there is nothing to get at this moment. */
  empty(): boolean {
    return native.queueLength(this.opened('empty()').id) === 0;
  }

  /** Whether `maxsize` messages are in it at this moment. Never, if it has none. */
  full(): boolean {
    const [length, maxsize] = native.queueFacts(this.opened('full()').id);
    return maxsize > 0 && length >= maxsize;
  }

  /** @internal Whether a get would not wait. */
  isReady(): boolean {
    const [length, , , , shut] = native.queueFacts(this.opened('wait()').id);
    return length > 0 || shut !== 0;
  }

  /** @internal Resolves when a get would not wait, at that moment. Takes nothing. */
  async untilReady(signal: AbortSignal): Promise<void> {
    const state = this.opened('wait()');
    await waitInLine<undefined>(
      this,
      state.getters,
      { timeout: Infinity, signal },
      {
        attempt: () => (state.awaitMessage() ? { value: undefined } : null),
        timedOut: () => new EmptyError('wait()'),
      },
    );
  }

  /**
   * No more is put from now on, by anybody: put() throws ShutDownError, and so does get() when nothing is left. Who waits is
   * told at once. `immediate`: what is in it is dropped.
   */
  shutdown(options?: { immediate?: boolean | undefined }): void {
    const what = this.#what('shutdown()');
    const state = this.opened('shutdown()');
    if (options !== undefined && (typeof options !== 'object' || (options as unknown) === null))
      throw typeError(`${what}: expects { immediate }, not ${show(options)}`);
    const immediate: unknown = options?.immediate ?? false;
    if (typeof immediate !== 'boolean')
      throw typeError(`${what}: immediate must be true or false, not ${show(immediate)}`);
    native.queueShut(state.id, immediate);
  }

  override [toHandle](): Handle {
    const { ring } = this.opened('share()');
    return { ...super[toHandle](), ring: { ...ring.address, kind: ring.kind } } as Handle;
  }
  override [pin](): () => void {
    const { reference, ring } = this.opened('share()');
    return pinEach([reference, ring]);
  }
  override [grant](ownerId: number): void {
    const { reference, ring } = this.opened('share()');
    reference.grant(ownerId);
    ring.grant(ownerId);
  }

  [inspect.custom](): string {
    if (this.state === null) return `<${this.kindName} closed>`;
    const [length, maxsize, , , shut] = native.queueFacts(this.state.id);
    return `<${this.kindName} ${length}${maxsize > 0 ? `/${maxsize}` : ''}${shut ? ' shut down' : ''}>`;
  }

  #what(method: string): string {
    return `${this.kindName}.${method}`;
  }

  #putLater(state: QueueState, packed: Packed, wait: Wait, what: string): Promise<void> {
    return waitInLine<undefined>(this, state.putters, wait, {
      attempt: (how) => (state.putPacked(packed, how, what) ? { value: undefined } : null),
      timedOut: () => new FullError(`${what}: no room within ${wait.timeout} ms`),
      dropped: packed.settle,
    });
  }

  #putBlocking(state: QueueState, packed: Packed, timeout: number, what: string): void {
    let put = false;
    try {
      put = state.putters.block((how) => state.putPacked(packed, how, what), timeout, what);
    } finally {
      if (!put) packed.settle();
    }
    if (!put) throw new FullError(`${what}: no room within ${timeout} ms`);
  }

  #getLater<R>(
    state: QueueState,
    wait: Wait,
    what: string,
    attempt: (how: number) => { value: R } | null,
  ): Promise<R> {
    return waitInLine<R>(this, state.getters, wait, {
      attempt,
      timedOut: () => new EmptyError(`${what}: no message within ${wait.timeout} ms`),
    });
  }

  #getBlocking(state: QueueState, n: number, shared: boolean, timeout: number, what: string): unknown[] {
    let values: unknown[] | null = null;
    const attempt: Attempt = (how) => (values = state.getSome(n, shared, what, false, how)) !== null;
    if (!state.getters.block(attempt, timeout, what))
      throw new EmptyError(`${what}: no message within ${timeout} ms`);
    return values!;
  }
}

function remainingOf(values: unknown, what: string): Remaining {
  if (typeof (values as Iterable<unknown> | null | undefined)?.[Symbol.iterator] !== 'function')
    throw typeError(`${what}: expects an iterable of values, not ${show(values)}`);
  return new Remaining(values as Iterable<unknown>);
}

function checkCount(n: unknown, what: string): void {
  if (typeof n !== 'number') throw typeError(`${what}: expects a number of messages, not ${show(n)}`);
  if (!Number.isInteger(n) || n < 1) throw rangeError(`${what}: expects 1 or more messages, not ${n}`);
}

function sharedOf(options: unknown, what: string): boolean {
  if (typeof options !== 'object' || options === null) return false;
  const { shared } = options as GetOptions;
  if (shared === undefined || typeof shared === 'boolean') return shared ?? false;
  throw typeError(`${what}: shared must be true or false, not ${show(shared)}`);
}

registerQueue('Queue', (state) => new Queue(state));
