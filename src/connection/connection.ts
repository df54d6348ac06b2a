/** One end of a connection: what the ends of a Pipe and of a socket have in common. */
import type { Readable, Writable } from 'node:stream';
import { BufferTooShortError } from '../errors.js';
import { rangeError, show, typeError } from '../native/arguments.js';
import {
  parseSyncWait,
  beginWait,
  type SyncWaitOptions,
  type Wait,
  type WaitOptions,
} from '../sync/wait-options.js';
import { isEnd } from './ended.js';
import {
  toReadable,
  type ReadableStreamOptions,
  type StreamOptions,
  toWeb,
  toWritable,
  type WebStreams,
} from './streams.js';

export interface SyncSendBytesOptions {
  /** Where in `data` the message begins, in bytes. 0 by default. */
  offset?: number | undefined;
  /** How many bytes it has. All from `offset` on by default. */
  size?: number | undefined;
  /** Milliseconds to wait at most. */
  timeout?: number | undefined;
}
export interface SendBytesOptions extends SyncSendBytesOptions {
  /** Ends the wait when it is aborted. */
  signal?: AbortSignal | undefined;
}

/**
 * One end of a connection to another process: messages go in here and come out there, whole and in order.
 *
 * Each send is one message, each receive takes one; an empty message is a message. `send` and `recv` carry values as
 * structuredClone() would copy them, `sendBytes` and `recvBytes` bytes; both kinds share one line, and the receiver takes what
 * was sent in the same way. Made by Pipe(), Client() and a Listener's accept().
 */
export abstract class Connection implements Disposable, AsyncIterable<unknown> {
  /** Whether this end was closed here. The other side's closing shows in what is received. */
  abstract get closed(): boolean;
  /** Whether this end can receive. */
  abstract get readable(): boolean;
  /** Whether this end can send. */
  abstract get writable(): boolean;
  /** Closes this end: the other side receives what was sent, then an end of stream. Twice is harmless. */
  abstract close(): void;

  /**
   * Sends a value, without blocking the event loop. It is copied inside the call.
   * @throws ClosedError `ERR_MP_BROKEN_PIPE` if the other side is gone, TimeoutError, the signal's reason, or `ERR_MP_CLONE`
   */
  abstract send(value: unknown, options?: number | WaitOptions): Promise<void>;
  /** Sends a value, blocking this thread while there is no room. */
  abstract sendSync(value: unknown, options?: number | SyncWaitOptions): void;
  /** Sends a value if there is room for it now; false if there is not. */
  abstract trySend(value: unknown): boolean;
  /**
   * Receives a value, without blocking the event loop, which is kept alive meanwhile.
   * @throws ClosedError `ERR_MP_EOF` when the other side has closed and nothing is left, TimeoutError, the signal's reason
   */
  abstract recv(options?: number | WaitOptions): Promise<unknown>;
  /** Receives a value, blocking this thread. */
  abstract recvSync(options?: number | SyncWaitOptions): unknown;
  /** Receives a value if there is one now; null if there is not. */
  abstract tryRecv(): { value: unknown } | null;

  // What an end implements besides. `what` begins the messages of errors: the call, e.g. `Connection.recvBytes()`.

  /** Sends one message of bytes, which may change after the call. */
  protected abstract writeMessage(bytes: Uint8Array, wait: Wait, what: string): Promise<void>;
  protected abstract writeMessageSync(bytes: Uint8Array, timeout: number, what: string): void;
  /** Takes one message; one that is longer than `maxLength` is an error. */
  protected abstract readMessage(maxLength: number, wait: Wait, what: string): Promise<Buffer>;
  protected abstract readMessageSync(maxLength: number, timeout: number, what: string): Buffer;
  /** Takes one message into `target`, from byte `offset` on. An end that can save a copy overrides this. */
  protected async readMessageInto(
    target: ArrayBufferView,
    offset: number,
    wait: Wait,
    what: string,
  ): Promise<number> {
    return copyInto(target, offset, await this.readMessage(Infinity, wait, what), what);
  }
  protected readMessageIntoSync(
    target: ArrayBufferView,
    offset: number,
    timeout: number,
    what: string,
  ): number {
    return copyInto(target, offset, this.readMessageSync(Infinity, timeout, what), what);
  }
  /** Waits until a message, or the end, can be received without waiting. False: the timeout has passed. */
  protected abstract awaitMessage(wait: Wait, what: string): Promise<boolean>;
  protected abstract awaitMessageSync(timeout: number, what: string): boolean;

  /**
   * Sends bytes as one message. They may be changed as soon as the call has returned its promise.
   * @throws as {@link send}; RangeError if `offset` and `size` leave `data`
   */
  async sendBytes(data: ArrayBufferView | ArrayBufferLike, options?: SendBytesOptions): Promise<void> {
    const what = 'Connection.sendBytes()';
    const bytes = partOf(data, options, what);
    const wait = beginWait(options, what);
    return this.writeMessage(bytes, wait, what);
  }

  /** Sends bytes as one message, blocking this thread while there is no room. */
  sendBytesSync(data: ArrayBufferView | ArrayBufferLike, options?: SyncSendBytesOptions): void {
    const what = 'Connection.sendBytesSync()';
    const bytes = partOf(data, options, what);
    this.writeMessageSync(bytes, parseSyncWait(options, what).timeout, what);
  }

  /**
   * Receives the bytes of one message.
   * @param maxLength a longer message is an error, after which nothing more can be received: it protects from those who send
   * too much. {@link recvBytesInto} loses nothing
   */
  async recvBytes(maxLength?: number | null, options?: number | WaitOptions): Promise<Buffer> {
    const what = 'Connection.recvBytes()';
    const limit = limitOf(maxLength, what);
    const wait = beginWait(options, what);
    return this.readMessage(limit, wait, what);
  }

  /** Receives the bytes of one message, blocking this thread. */
  recvBytesSync(maxLength?: number | null, options?: number | SyncWaitOptions): Buffer {
    const what = 'Connection.recvBytesSync()';
    const limit = limitOf(maxLength, what);
    return this.readMessageSync(limit, parseSyncWait(options, what).timeout, what);
  }

  /**
   * Receives the bytes of one message into `target`, from byte `offset` on. How many there were.
   * @throws BufferTooShortError, which has the message, if they do not fit
   */
  async recvBytesInto(target: ArrayBufferView, offset = 0, options?: number | WaitOptions): Promise<number> {
    const what = 'Connection.recvBytesInto()';
    checkTarget(target, offset, what);
    const wait = beginWait(options, what);
    return this.readMessageInto(target, offset, wait, what);
  }

  /** The same, blocking this thread. */
  recvBytesIntoSync(target: ArrayBufferView, offset = 0, options?: number | SyncWaitOptions): number {
    const what = 'Connection.recvBytesIntoSync()';
    checkTarget(target, offset, what);
    const { timeout } = parseSyncWait(options, what);
    return this.readMessageIntoSync(target, offset, timeout, what);
  }

  /**
   * Whether a receive would not wait: there is a message, or the other side has closed. Takes nothing. Looks once unless it
   * is given a time to wait.
   */
  async poll(options: number | WaitOptions = 0): Promise<boolean> {
    const what = 'Connection.poll()';
    const wait = beginWait(options, what);
    return this.awaitMessage(wait, what);
  }

  /** The same, blocking this thread while it waits. */
  pollSync(options: number | SyncWaitOptions = 0): boolean {
    const what = 'Connection.pollSync()';
    return this.awaitMessageSync(parseSyncWait(options, what).timeout, what);
  }

  /** The values received, until the other side has closed. Leaving the loop leaves the connection open. */
  async *[Symbol.asyncIterator](): AsyncGenerator<unknown, void, undefined> {
    for (;;) {
      let value: unknown;
      try {
        value = await this.recv();
      } catch (error) {
        if (isEnd(error)) return;
        throw error;
      }
      yield value;
    }
  }

  /** What is received, as a stream of Node's: see {@link StreamOptions}. */
  toReadable(options?: ReadableStreamOptions): Readable {
    return toReadable(this, options);
  }

  /** A stream of Node's whose chunks are sent. Its end tells the other side, too. */
  toWritable(options?: StreamOptions): Writable {
    return toWritable(this, options);
  }

  /** The same two as web streams. */
  toWeb(options?: ReadableStreamOptions): WebStreams {
    return toWeb(this, options);
  }

  /**
   * Nothing more will be sent. An end that can go on receiving overrides this.
   * @internal
   */
  endSending(): void {
    this.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function bytesOf(data: unknown, what: string): Uint8Array {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) return new Uint8Array(data);
  throw typeError(
    `${what}: data must be a Buffer, a typed array, a DataView or an ArrayBuffer, not ${show(data)}`,
  );
}

function partOf(data: unknown, options: SyncSendBytesOptions | undefined, what: string): Uint8Array {
  const bytes = bytesOf(data, what);
  if (options === undefined || (options as unknown) === null) return bytes;
  if (typeof options !== 'object')
    throw typeError(`${what}: expects { offset, size, timeout }, not ${show(options)}`);
  const offset = count(options.offset ?? 0, 'offset', what);
  if (offset > bytes.length)
    throw rangeError(`${what}: offset ${offset} is beyond the ${bytes.length} bytes of data`);
  const size = count(options.size ?? bytes.length - offset, 'size', what);
  if (size > bytes.length - offset)
    throw rangeError(`${what}: ${size} bytes from ${offset} on are more than the ${bytes.length} of data`);
  return bytes.subarray(offset, offset + size);
}

function limitOf(maxLength: unknown, what: string): number {
  if (maxLength === undefined || maxLength === null || maxLength === Infinity) return Infinity;
  return count(maxLength, 'maxLength', what);
}

function checkTarget(target: unknown, offset: unknown, what: string): void {
  if (!ArrayBuffer.isView(target))
    throw typeError(`${what}: target must be a Buffer, a typed array or a DataView, not ${show(target)}`);
  if (count(offset, 'offset', what) > target.byteLength)
    throw rangeError(`${what}: offset ${String(offset)} is beyond the ${target.byteLength} bytes of target`);
}

/** Puts a message where it was to be received into. */
export function copyInto(target: ArrayBufferView, offset: number, message: Buffer, what: string): number {
  const room = Math.max(target.byteLength - offset, 0); // may have been detached while we waited
  if (message.length > room)
    throw new BufferTooShortError(
      `${what}: a message of ${message.length} bytes does not fit in ${room}; the error has it as \`bytes\``,
      message,
    );
  new Uint8Array(target.buffer, target.byteOffset + offset, message.length).set(message);
  return message.length;
}

function count(value: unknown, name: string, what: string): number {
  if (typeof value !== 'number')
    throw typeError(`${what}: ${name} must be a number of bytes, not ${show(value)}`);
  if (!Number.isInteger(value) || value < 0)
    throw rangeError(`${what}: ${name} must be 0 or more whole bytes, not ${value}`);
  return value;
}
