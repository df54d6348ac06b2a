/** The messages that come in over a socket, for those who wait for them, one after the other. */
import { AuthenticationError, ClosedError, MultiprocessingError, TimeoutError } from '../errors.js';
import { errnoOf } from '../native/failure.js';
import { native } from '../native/load.js';
import { waitLater } from '../sync/wait-later.js';
import type { Wait } from '../sync/wait-options.js';
import { cutOff, endOfStream } from './ended.js';
import { FrameReader } from './frames.js';
import { isChallenge, isFailure } from './handshake.js';
import { type Socket, turnsAtOnce } from './socket.js';

/** As the limit of one who takes nothing, and only wants to know whether something is there. */
const peek = -1;

class Receiver {
  readonly limit: number;
  readonly what: string;
  hasEnded = false;
  message: Buffer | null = null;
  error: Error | null = null;
  /** Who is told of its end, if somebody waits. */
  onEnd: (() => void) | null = null;

  constructor(limit: number, what: string) {
    this.limit = limit;
    this.what = what;
  }

  end(message: Buffer | null, error: Error | null): void {
    this.hasEnded = true;
    this.message = message;
    this.error = error;
    this.onEnd?.();
  }
}

export class ReceivingLine {
  readonly #socket: Socket;
  readonly #peer: string;
  readonly #maxMessage: number;
  readonly #changed: () => void;
  readonly #reader = new FrameReader();
  #line: Receiver[] = [];
  #turns = 0;
  /** Why nothing more can be received, once what is here has been taken. */
  #failure: ((what: string) => Error) | null = null;
  /** The first message may tell that the two sides do not agree on whether there is an authkey. */
  #isFirst = true;

  /** @param changed is called when the line has become empty, or has not been it before */
  constructor(socket: Socket, peer: string, maxMessage: number, changed: () => void) {
    this.#socket = socket;
    this.#peer = peer;
    this.#maxMessage = maxMessage;
    this.#changed = changed;
  }

  get isEmpty(): boolean {
    return this.#line.length === 0;
  }

  get hasFailed(): boolean {
    return this.#failure !== null;
  }

  async read(limit: number, wait: Wait, what: string): Promise<Buffer> {
    return (await this.#read(limit, wait, what))!;
  }

  readSync(limit: number, timeout: number, what: string): Buffer {
    return this.#readSync(limit, timeout, what)!;
  }

  /** A message, if it is here and nobody else waits for it. */
  tryRead(what: string): Buffer | null {
    return this.isEmpty ? this.#take(Infinity, what, false) : null;
  }

  /** Whether a read would not wait. */
  async poll(wait: Wait, what: string): Promise<boolean> {
    if (this.isEmpty && this.#isHere(peek, what, false)) return true;
    if (wait.timeout === 0) return false;
    return this.#read(peek, wait, what).then(() => true, timedOutIsFalse);
  }

  pollSync(timeout: number, what: string): boolean {
    if (this.isEmpty && this.#isHere(peek, what, false)) return true;
    if (timeout === 0) return false;
    try {
      this.#readSync(peek, timeout, what);
      return true;
    } catch (error) {
      return timedOutIsFalse(error);
    }
  }

  /** A turn of the event loop: reads what has come. */
  turn(): void {
    this.#turns = 0;
    this.#serve(true);
  }

  /** Ends all that wait. */
  fail(reason: (what: string) => Error): void {
    for (const receiver of this.#line.splice(0)) receiver.end(null, reason(receiver.what));
  }

  forget(): void {
    this.#line = [];
  }

  /** From now on what looks like a handshake is a message like any other. */
  expectHandshake(): void {
    this.#isFirst = false;
  }

  async #read(limit: number, { timeout, signal }: Wait, what: string): Promise<Buffer | null> {
    const receiver = this.#begin(limit, what, true);
    if (receiver.hasEnded) return resultOf(receiver);
    return waitLater<Buffer | null>({
      handle: this,
      timeout,
      signal,
      begin: (task) => {
        receiver.onEnd = () => {
          if (receiver.error === null) task.done(receiver.message);
          else task.fail(receiver.error);
        };
      },
      timedOut: (task) => {
        // This loop may have been too busy to hear of what came in time.
        this.#serve(false);
        this.#leave(receiver);
        if (!receiver.hasEnded) task.fail(this.#timedOut(receiver, timeout));
      },
      aborted: (task, reason) => {
        this.#leave(receiver);
        task.fail(reason);
      },
    });
  }

  /** Those who wait already are served first. */
  #readSync(limit: number, timeout: number, what: string): Buffer | null {
    const deadline = performance.now() + timeout;
    const receiver = this.#begin(limit, what, false);
    try {
      while (!receiver.hasEnded) {
        if (!this.#socket.block(false, deadline - performance.now(), what))
          throw this.#timedOut(receiver, timeout);
        this.#serve(false);
      }
    } finally {
      this.#leave(receiver);
    }
    return resultOf(receiver);
  }

  #begin(limit: number, what: string, isBounded: boolean): Receiver {
    const receiver = new Receiver(limit, what);
    this.#line.push(receiver);
    if (this.#line.length === 1 || !isBounded) this.#serve(isBounded);
    if (!receiver.hasEnded) this.#changed();
    return receiver;
  }

  /** The receiver waits no longer. What has come of a message is for the next one. */
  #leave(receiver: Receiver): void {
    receiver.onEnd = null;
    this.#line = this.#line.filter((other) => other !== receiver);
    this.#changed();
  }

  #serve(isBounded: boolean): void {
    for (let first; (first = this.#line[0]) !== undefined;) {
      let message: Buffer | null = null;
      let error: Error | null = null;
      try {
        if (first.limit !== peek) message = this.#take(first.limit, first.what, isBounded);
        if (message === null && (first.limit !== peek || !this.#isHere(peek, first.what, isBounded))) return;
      } catch (thrown) {
        error = thrown as Error;
      }
      this.#line.shift();
      first.end(message, error);
    }
  }

  /** The next message; null if it is not here. */
  #take(limit: number, what: string, isBounded: boolean): Buffer | null {
    if (!this.#isHere(limit, what, isBounded)) return null;
    const message = this.#reader.take();
    if (this.#isFirst) {
      this.#isFirst = false;
      if (isChallenge(message)) throw this.#disagree('asks for an authkey, and this side has none', what);
      if (isFailure(message)) throw this.#disagree('has an authkey, and this side has none', what);
    }
    return message;
  }

  /** Whether the next message is here; reads what has come. Throws if there will be none, or one that is too long. */
  #isHere(limit: number, what: string, isBounded: boolean): boolean {
    const reader = this.#reader;
    for (;;) {
      const size = reader.nextSize;
      if (size !== null && (this.#failure === null || size >= 0)) {
        if (limit === peek && (size < 0 || size > this.#maxMessage)) return true; // who takes it will be told
        this.#checkSize(size, limit === peek ? Infinity : limit, what);
        if (reader.isWhole()) return true;
      }
      if (this.#failure !== null) {
        if (limit === peek) return true;
        throw this.#failure(what);
      }
      if (isBounded && this.#turns++ >= turnsAtOnce) return false;
      const count = this.#receive();
      if (count < 0) return false;
      if (count > 0) reader.filled(count);
      else
        this.#failure = (call) =>
          reader.isInside ? cutOff(call, this.#peer) : endOfStream(call, this.#peer);
    }
  }

  #receive(): number {
    const { target } = this.#reader;
    try {
      return native.socketReceive(this.#socket.fd, target, this.#reader.at);
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
      return 0; // ECONNRESET and its like: nothing more will come
    }
  }

  #checkSize(size: number, limit: number, what: string): void {
    const max = Math.min(limit, this.#maxMessage);
    if (size >= 0 && size <= max) return;
    // Where the next message begins is not known, or too far away.
    this.#reader.discard();
    this.#failure = (call) =>
      new ClosedError(`${call}: ${this.#peer} has sent what was not received; close this connection`);
    if (size < 0)
      throw new MultiprocessingError(
        'ERR_MP_DAMAGED',
        `${what}: ${this.#peer} has sent bytes that are no message: it speaks another protocol`,
      );
    throw new MultiprocessingError(
      'ERR_MP_TOO_LONG',
      `${what}: ${this.#peer} has sent a message of ${size} bytes, more than the ${max} allowed by ` +
        `${limit < this.#maxMessage ? 'maxLength' : '{ maxMessage }'}; nothing more can be received here`,
    );
  }

  #disagree(reason: string, what: string): AuthenticationError {
    const text = `${this.#peer} ${reason}: pass { authkey } on both sides, or on none`;
    this.#reader.discard();
    this.#failure = (call) => new AuthenticationError(`${call}: ${text}`);
    return new AuthenticationError(`${what}: ${text}`);
  }

  #timedOut({ what }: Receiver, timeout: number): TimeoutError {
    return new TimeoutError(`${what}: nothing came from ${this.#peer} within ${timeout} ms`);
  }
}

function resultOf(receiver: Receiver): Buffer | null {
  if (receiver.error !== null) throw receiver.error;
  return receiver.message;
}

function timedOutIsFalse(error: unknown): false {
  if (error instanceof TimeoutError) return false;
  throw error;
}
