/**
 * An end of a connection over a socket.
 *
 * What is sent and what is received stands in a line each: an asynchronous call waits its turn there, a blocking one moves
 * the line on until its own turn has come. So both forms go together, and no message is torn. Nothing is read before
 * somebody receives: a peer that sends more than anybody receives has to wait.
 */
import { inspect } from 'node:util';
import { ClosedError, MultiprocessingError } from '../errors.js';
import { native } from '../native/load.js';
import {
  parseSyncWait,
  beginWait,
  type SyncWaitOptions,
  type Wait,
  type WaitOptions,
} from '../sync/wait-options.js';
import { toHandle } from '../transfer/handle.js';
import { Connection } from './connection.js';
import type { Partner } from './handshake.js';
import { decodeValue, encodeValue } from './payload.js';
import { ReceivingLine } from './receiving-line.js';
import { SendingLine } from './sending-line.js';
import type { Socket, SocketUser } from './socket.js';

export class SocketConnection extends Connection implements SocketUser, Partner {
  readonly #socket: Socket;
  readonly #peer: string;
  readonly #sending: SendingLine;
  readonly #receiving: ReceivingLine;
  #closed = false;
  #endsSending = false;

  /**
   * Takes the socket over.
   * @param peer how the other side is called in messages, e.g. `the client of 127.0.0.1:80`
   * @param maxMessage the longest message that is received, in bytes
   */
  constructor(socket: Socket, peer: string, maxMessage: number) {
    super();
    this.#socket = socket;
    this.#peer = peer;
    const changed = (): void => {
      this.#rewatch();
    };
    this.#sending = new SendingLine(socket, peer, changed);
    this.#receiving = new ReceivingLine(socket, peer, maxMessage, changed);
    socket.user = this;
  }

  /** @internal How the other side is called in messages. */
  get peer(): string {
    return this.#peer;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get readable(): boolean {
    return !this.#closed && !this.#receiving.hasFailed;
  }

  get writable(): boolean {
    return !this.#closed && !this.#endsSending && this.#sending.failure === null;
  }

  /**
   * Closes this end. Those who wait to receive here get a ClosedError; what was sent before still goes out, and keeps the
   * process alive until it has.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#receiving.fail((what) => this.#closedError(what));
    this.#rewatch();
  }

  override endSending(): void {
    if (this.#closed || this.#endsSending) return;
    this.#endsSending = true;
    this.#rewatch();
  }

  async send(value: unknown, options?: number | WaitOptions): Promise<void> {
    const what = 'Connection.send()';
    const wait = beginWait(options, what);
    this.#checkWritable(what);
    return this.#sending.write(encodeValue(value), wait, what);
  }

  sendSync(value: unknown, options?: number | SyncWaitOptions): void {
    const what = 'Connection.sendSync()';
    const { timeout } = parseSyncWait(options, what);
    this.#checkWritable(what);
    this.#sending.writeSync(encodeValue(value), timeout, what);
  }

  /** As {@link Connection.trySend}. Of a long message there may be room for the beginning: its rest goes out by itself. */
  trySend(value: unknown): boolean {
    const what = 'Connection.trySend()';
    this.#checkWritable(what);
    return this.#sending.tryWrite(encodeValue(value), what);
  }

  async recv(options?: number | WaitOptions): Promise<unknown> {
    const what = 'Connection.recv()';
    const wait = beginWait(options, what);
    return decodeValue(await this.readMessage(Infinity, wait, what));
  }

  recvSync(options?: number | SyncWaitOptions): unknown {
    const what = 'Connection.recvSync()';
    const { timeout } = parseSyncWait(options, what);
    return decodeValue(this.readMessageSync(Infinity, timeout, what));
  }

  tryRecv(): { value: unknown } | null {
    const what = 'Connection.tryRecv()';
    this.#checkOpen(what);
    const message = this.#receiving.tryRead(what);
    return message === null ? null : { value: decodeValue(message) };
  }

  /** @internal Of the handshake, too: so are the next three. */
  override async readMessage(maxLength: number, wait: Wait, what: string): Promise<Buffer> {
    this.#checkOpen(what);
    return this.#receiving.read(maxLength, wait, what);
  }

  /** @internal */
  override readMessageSync(maxLength: number, timeout: number, what: string): Buffer {
    this.#checkOpen(what);
    return this.#receiving.readSync(maxLength, timeout, what);
  }

  /** @internal */
  override async writeMessage(bytes: Uint8Array, wait: Wait, what: string): Promise<void> {
    this.#checkWritable(what);
    return this.#sending.write(bytes, wait, what);
  }

  /** @internal */
  override writeMessageSync(bytes: Uint8Array, timeout: number, what: string): void {
    this.#checkWritable(what);
    this.#sending.writeSync(bytes, timeout, what);
  }

  protected override async awaitMessage(wait: Wait, what: string): Promise<boolean> {
    this.#checkOpen(what);
    return this.#receiving.poll(wait, what);
  }

  protected override awaitMessageSync(timeout: number, what: string): boolean {
    this.#checkOpen(what);
    return this.#receiving.pollSync(timeout, what);
  }

  /** @internal */
  expectHandshake(): void {
    this.#receiving.expectHandshake();
  }

  /** @internal */
  ready(): void {
    this.#sending.turn();
    if (!this.#closed) this.#receiving.turn();
    this.#rewatch();
  }

  /** @internal */
  forked(): void {
    this.#receiving.forget();
    // The parent goes on with what it was sending. Something of ours in the middle of it would spoil both.
    if (this.#sending.forget())
      this.#sending.failure = (what) =>
        new ClosedError(`${what}: this process was forked while its parent was sending here, which goes on`);
    this.#rewatch();
  }

  /** Watches for what somebody here waits for; ends what has come to its end. */
  #rewatch(): void {
    if (!this.#socket.isOpen) return;
    const isSending = !this.#sending.isEmpty;
    if (this.#closed && !isSending) {
      this.#socket.close();
      return;
    }
    if (this.#endsSending && !isSending && this.#sending.failure === null) {
      native.socketEnd(this.#socket.fd);
      this.#sending.failure = endedError;
    }
    this.#socket.watch(!this.#receiving.isEmpty, isSending);
  }

  #checkOpen(what: string): void {
    if (this.#closed) throw this.#closedError(what);
  }

  #checkWritable(what: string): void {
    this.#checkOpen(what);
    if (this.#endsSending) throw endedError(what);
    if (this.#sending.failure !== null) throw this.#sending.failure(what);
  }

  #closedError(what: string): ClosedError {
    return new ClosedError(`${what}: this end of the connection with ${this.#peer} was closed here`);
  }

  /** It is a descriptor of this process, and the stream has one user. */
  [toHandle](): never {
    throw new MultiprocessingError(
      'ERR_MP_CLONE',
      `${inspect(this)} cannot be sent to another process: it is a socket of this one. Send the listener's address, and ` +
        'have the other process call Client()',
    );
  }

  [inspect.custom](): string {
    return `<Connection with ${this.#peer}${this.#closed ? ', closed' : ''}>`;
  }
}

function endedError(what: string): ClosedError {
  return new ClosedError(`${what}: this end has said that it sends nothing more`);
}
