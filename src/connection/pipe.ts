import { inspect } from 'node:util';
import { BufferTooShortError, ClosedError, MultiprocessingError, TimeoutError } from '../errors.js';
import { type Address, damaged, pinEach, Reference } from '../memory/arena.js';
import { rangeError, show, typeError } from '../native/arguments.js';
import { native } from '../native/load.js';
import type { Packed } from '../message/outgoing.js';
import { valueAtOnce, valueLater } from '../message/reader.js';
import { openObject, type SyncAddress } from '../sync/sync-handle.js';
import { waitInLine } from '../sync/wait-line.js';
import {
  parseSyncWait,
  beginWait,
  type SyncWaitOptions,
  type Wait,
  type WaitOptions,
} from '../sync/wait-options.js';
import { grant, type Handle, pin, registerKind, type Shareable, toHandle } from '../transfer/handle.js';
import { Connection, copyInto } from './connection.js';
import { isEnd } from './ended.js';
import { initEnd, PipeState } from './pipe-state.js';

export interface PipeOptions {
  /** Whether both ends send and receive: true by default. Else the first receives, and the second sends. */
  duplex?: boolean | undefined;
  /**
   * How many bytes of shared memory each direction has, a power of two; 64 KiB by default. Who sends more than the other side
   * has received waits. Messages longer than a quarter of it have memory of their own.
   */
  bytes?: number | undefined;
}

const { layout } = native;
const bytesDefault = 64 << 10;
const bytesLeast = 1 << 12;
const bytesMost = 1 << 30;

/**
 * A pipe between two processes or threads: its two ends. Either may travel, before it is used or after.
 *
 * What is sent at one end is received at the other, in order. An end has one user at a time in each direction; a second one gets
 * `ERR_MP_BUSY`. When nobody has an end any more, or who used it has ended, the other side hears of it.
 */
export function Pipe(options?: PipeOptions | boolean): [Connection, Connection] {
  const what = 'Pipe()';
  if (
    options !== undefined &&
    typeof options !== 'boolean' &&
    (typeof options !== 'object' || (options as unknown) === null)
  )
    throw typeError(`${what}: expects { duplex, bytes }, not ${show(options)}`);
  const { duplex = true, bytes = bytesDefault } =
    typeof options === 'boolean' ? { duplex: options } : (options ?? {});
  if (typeof duplex !== 'boolean')
    throw typeError(`${what}: duplex must be true or false, not ${show(duplex)}`);
  if (typeof bytes !== 'number') throw typeError(`${what}: bytes must be a number, not ${show(bytes)}`);
  if (!(bytes >= bytesLeast && bytes <= bytesMost && Number.isInteger(Math.log2(bytes))))
    throw rangeError(
      `${what}: bytes must be a power of two from ${bytesLeast} to ${bytesMost}, not ${bytes}`,
    );
  const rings = duplex ? 2 : 1;
  const made: Reference[] = [];
  try {
    const block = Reference.createBlock(layout.kindPipe, 0, layout.pipeBlockBytes + rings * bytes, what);
    made.push(block);
    native.initPipe(block.slot, bytes / 8, rings);
    const ends = [0, 1].map(() => {
      const end = Reference.create(layout.kindPipeEnd, block.slot);
      made.push(end);
      return end;
    }) as [Reference, Reference];
    initEnd(ends[0].slot, 0, ends[1].slot);
    initEnd(ends[1].slot, 1, ends[0].slot);
    block.retain();
    return [new PipeEnd(PipeState.of(ends[0], block)), new PipeEnd(PipeState.of(ends[1], block))];
  } catch (error) {
    for (const reference of made.reverse()) reference.release();
    throw error;
  }
}

/** What is behind an end of a pipe, for who sends and receives there without calls that wait. */
export let pipeStateOf: (end: Connection, what: string) => PipeState;

/** One end of a pipe. */
class PipeEnd extends Connection implements Shareable {
  static {
    pipeStateOf = (end, what) => {
      if (!(#state in end)) throw typeError(`${what}: expects an end of a pipe, not ${show(end)}`);
      return end.#opened(what);
    };
  }

  #state: PipeState | null;

  constructor(state: PipeState) {
    super();
    this.#state = state;
  }

  get closed(): boolean {
    return this.#state === null;
  }
  get readable(): boolean {
    return this.#state?.readable ?? false;
  }
  get writable(): boolean {
    return this.#state?.writable ?? false;
  }

  close(): void {
    const state = this.#state;
    if (state === null) return;
    this.#state = null;
    state.failRequests(
      this,
      () => new ClosedError('Connection: this end was closed while a call of it waited'),
    );
    state.reference.release();
  }

  async send(value: unknown, options?: number | WaitOptions): Promise<void> {
    const what = 'Connection.send()';
    const state = this.#opened(what);
    const wait = beginWait(options, what);
    if (!state.put(value, false, what)) await this.#sendLater(state, value, false, wait, what);
  }

  sendSync(value: unknown, options?: number | SyncWaitOptions): void {
    const what = 'Connection.sendSync()';
    const state = this.#opened(what);
    const { timeout } = parseSyncWait(options, what);
    if (!state.put(value, false, what)) sendBlocking(state, value, false, timeout, what);
  }

  trySend(value: unknown): boolean {
    return this.#opened('Connection.trySend()').put(value, false, 'Connection.trySend()');
  }

  async recv(options?: number | WaitOptions): Promise<unknown> {
    const what = 'Connection.recv()';
    const state = this.#opened(what);
    const wait = beginWait(options, what);
    if (state.receivers.waiting === 0 && state.look(what)) return takeLater(state, what);
    return this.#receive(state, wait, what, () => takeLater(state, what));
  }

  recvSync(options?: number | SyncWaitOptions): unknown {
    const what = 'Connection.recvSync()';
    const state = this.#opened(what);
    const { timeout } = parseSyncWait(options, what);
    if (state.receivers.waiting === 0 && state.look(what)) return takeAtOnce(state, what);
    const taken = receiveBlocking(state, timeout, what, () => attemptTake(state, what));
    return 'unread' in taken ? valueAtOnce(taken.unread) : taken.value;
  }

  tryRecv(): { value: unknown } | null {
    const what = 'Connection.tryRecv()';
    const state = this.#opened(what);
    return state.receivers.waiting === 0 && state.look(what) ? { value: takeAtOnce(state, what) } : null;
  }

  protected async writeMessage(bytes: Uint8Array, wait: Wait, what: string): Promise<void> {
    const state = this.#opened(what);
    if (!state.put(bytes, true, what)) await this.#sendLater(state, bytes, true, wait, what);
  }

  protected writeMessageSync(bytes: Uint8Array, timeout: number, what: string): void {
    const state = this.#opened(what);
    if (!state.put(bytes, true, what)) sendBlocking(state, bytes, true, timeout, what);
  }

  protected async readMessage(maxLength: number, wait: Wait, what: string): Promise<Buffer> {
    const state = this.#opened(what);
    if (state.receivers.waiting === 0 && state.look(what)) return takeBytes(state, maxLength, what);
    return this.#receive(state, wait, what, () => takeBytes(state, maxLength, what));
  }

  protected readMessageSync(maxLength: number, timeout: number, what: string): Buffer {
    const state = this.#opened(what);
    if (state.receivers.waiting === 0 && state.look(what)) return takeBytes(state, maxLength, what);
    return receiveBlocking(state, timeout, what, () => takeBytes(state, maxLength, what));
  }

  protected override async readMessageInto(
    target: ArrayBufferView,
    offset: number,
    wait: Wait,
    what: string,
  ): Promise<number> {
    const state = this.#opened(what);
    if (state.receivers.waiting === 0 && state.look(what)) return takeBytesInto(state, target, offset, what);
    return this.#receive(state, wait, what, () => takeBytesInto(state, target, offset, what));
  }

  protected override readMessageIntoSync(
    target: ArrayBufferView,
    offset: number,
    timeout: number,
    what: string,
  ): number {
    const state = this.#opened(what);
    if (state.receivers.waiting === 0 && state.look(what)) return takeBytesInto(state, target, offset, what);
    return receiveBlocking(state, timeout, what, () => takeBytesInto(state, target, offset, what));
  }

  protected async awaitMessage(wait: Wait, what: string): Promise<boolean> {
    const state = this.#opened(what);
    try {
      if (state.receivers.waiting === 0) {
        if (state.look(what)) return true;
        if (wait.timeout === 0) return false;
      }
      await this.#receive(state, wait, what, () => undefined);
      return true;
    } catch (error) {
      if (error instanceof TimeoutError) return false;
      if (isEnd(error)) return true;
      throw error;
    }
  }

  protected awaitMessageSync(timeout: number, what: string): boolean {
    const state = this.#opened(what);
    try {
      return (
        (state.receivers.waiting === 0 && state.look(what)) ||
        ((timeout > 0 || state.receivers.waiting > 0) &&
          state.receivers.block((how) => state.await(how, what), timeout, what))
      );
    } catch (error) {
      if (isEnd(error)) return true;
      throw error;
    }
  }

  [toHandle](): Handle {
    const { reference, block } = this.#opened('share()');
    return {
      multiproc: 'Connection',
      kind: reference.kind,
      ...reference.address,
      block: { kind: block.kind, ...block.address },
    } as Handle;
  }
  [pin](): () => void {
    const { reference, block } = this.#opened('share()');
    return pinEach([reference, block]);
  }
  [grant](ownerId: number): void {
    const { reference, block } = this.#opened('share()');
    reference.grant(ownerId);
    block.grant(ownerId);
  }

  [inspect.custom](): string {
    if (this.#state === null) return '<Connection closed>';
    const does = this.readable ? (this.writable ? 'duplex' : 'receives') : 'sends';
    return `<Connection of a pipe, ${does}>`;
  }

  #opened(what: string): PipeState {
    if (this.#state === null) throw new ClosedError(`${what}: this end was closed`);
    return this.#state;
  }

  #sendLater(state: PipeState, value: unknown, isBytes: boolean, wait: Wait, what: string): Promise<void> {
    const packed = state.pack(value, isBytes, what);
    return waitInLine<undefined>(this, state.senders, wait, {
      attempt: (how) => (state.putPacked(packed, how, what) ? { value: undefined } : null),
      timedOut: () => noRoom(what, wait.timeout),
      dropped: packed.settle,
    });
  }

  #receive<T>(state: PipeState, wait: Wait, what: string, take: () => T): Promise<T> {
    return waitInLine<T>(this, state.receivers, wait, {
      attempt: (how) => (state.await(how, what) ? { value: take() } : null),
      timedOut: () => noMessage(what, wait.timeout),
    });
  }
}

/** The value of the message in front, or a promise for it. */
function takeLater(state: PipeState, what: string): unknown {
  try {
    return state.take(what);
  } catch (error) {
    return valueLater(error);
  }
}

function takeAtOnce(state: PipeState, what: string): unknown {
  try {
    return state.take(what);
  } catch (error) {
    return valueAtOnce(error);
  }
}

function sendBlocking(
  state: PipeState,
  value: unknown,
  isBytes: boolean,
  timeout: number,
  what: string,
): void {
  const packed: Packed = state.pack(value, isBytes, what);
  let put = false;
  try {
    put = state.senders.block((how) => state.putPacked(packed, how, what), timeout, what);
  } finally {
    if (!put) packed.settle();
  }
  if (!put) throw noRoom(what, timeout);
}

/** `take` is called when there is a message: within the attempt, so that no task of the line gets it meanwhile. */
function receiveBlocking<T>(state: PipeState, timeout: number, what: string, take: () => T): T {
  let taken: { value: T } | undefined;
  const attempt = (how: number): boolean => {
    if (!state.await(how, what)) return false;
    taken = { value: take() };
    return true;
  };
  if (!state.receivers.block(attempt, timeout, what)) throw noMessage(what, timeout);
  return taken!.value;
}

/** The value of the message in front, or why it could not be read: the message is taken all the same. */
function attemptTake(state: PipeState, what: string): { value: unknown } | { unread: unknown } {
  try {
    return { value: state.take(what) };
  } catch (unread) {
    return { unread };
  }
}

function takeBytesInto(state: PipeState, target: ArrayBufferView, offset: number, what: string): number {
  // It may have been detached while we waited.
  const room = new Uint8Array(target.buffer, target.byteOffset, target.byteLength).subarray(offset);
  if (lengthOfBytes(state, what) <= room.length) return state.takeInto(room, what);
  return copyInto(target, offset, state.take(what) as Buffer, what); // an error that has the bytes
}

/** Of the message in front, which must be one of bytes. */
function lengthOfBytes(state: PipeState, what: string): number {
  const { isBytes, length } = state.peek();
  if (!isBytes) {
    throw new MultiprocessingError(
      'ERR_MP_STATE',
      `${what}: the next message is a value, not bytes: receive it with recv()`,
    );
  }
  return length;
}

function takeBytes(state: PipeState, maxLength: number, what: string): Buffer {
  const length = lengthOfBytes(state, what);
  const bytes = state.take(what) as Buffer;
  if (length > maxLength) {
    throw new BufferTooShortError(
      `${what}: a message of ${length} bytes is longer than maxLength ${maxLength}; the error has it as \`bytes\``,
      bytes,
    );
  }
  return bytes;
}

function noRoom(what: string, timeout: number): TimeoutError {
  return new TimeoutError(`${what}: the other side has not made room within ${timeout} ms`);
}

function noMessage(what: string, timeout: number): TimeoutError {
  return new TimeoutError(`${what}: no message within ${timeout} ms`);
}

interface PipeAddress extends SyncAddress {
  readonly block?: Address;
}

registerKind<PipeAddress>('Connection', (address) => {
  const reference = openObject(address, layout.kindPipeEnd, 'Connection');
  try {
    if (reference.local instanceof PipeState) return new PipeEnd(reference.local);
    if (address.block?.slot !== reference.detail) throw damaged('Connection');
    return new PipeEnd(PipeState.of(reference, Reference.open(address.block, layout.kindPipe, 'Connection')));
  } catch (error) {
    reference.release();
    throw error;
  }
});
