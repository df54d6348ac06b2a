/** The messages that go out over a socket, one after the other, each whole. */
import { TimeoutError } from '../errors.js';
import { errnoOf } from '../native/failure.js';
import { native } from '../native/load.js';
import { waitLater } from '../sync/wait-later.js';
import type { Wait } from '../sync/wait-options.js';
import { brokenPipe } from './ended.js';
import { frameHead } from './frames.js';
import { type Socket, turnsAtOnce } from './socket.js';

/** Up to this size a header and its message go out as one piece. */
const joined = 65_536;

class Sending {
  readonly what: string;
  readonly #pieces: Uint8Array[];
  #sent = 0; // of the first piece
  hasBegun = false;
  hasEnded = false;
  error: Error | null = null;
  /** Who is told of its end, if somebody waits. */
  onEnd: (() => void) | null = null;

  constructor(bytes: Uint8Array, what: string) {
    const head = frameHead(bytes.length);
    this.#pieces = bytes.length <= joined ? [Buffer.concat([head, bytes])] : [head, bytes];
    this.what = what;
  }

  /** Sends what there is room for; false: there was none. */
  push(fd: number): boolean {
    const piece = this.#pieces[0]!;
    const count = native.socketSend(fd, piece, this.#sent);
    if (count < 0) return false;
    this.hasBegun = true;
    this.#sent += count;
    if (this.#sent === piece.length) {
      this.#sent = 0;
      this.#pieces.shift();
      if (this.#pieces.length === 0) this.end(null);
    }
    return true;
  }

  end(error: Error | null): void {
    this.hasEnded = true;
    this.error = error;
    this.onEnd?.();
  }

  /** What is left becomes our own: the caller may change its bytes. */
  keep(): void {
    const last = this.#pieces.length - 1;
    const isFirst = last === 0;
    this.#pieces[last] = Buffer.from(this.#pieces[last]!.subarray(isFirst ? this.#sent : 0));
    if (isFirst) this.#sent = 0;
  }
}

export class SendingLine {
  readonly #socket: Socket;
  readonly #peer: string;
  readonly #changed: () => void;
  #line: Sending[] = [];
  #turns = 0;
  /** Why nothing more can be sent. */
  failure: ((what: string) => Error) | null = null;

  /** @param changed is called when the line has become empty, or has not been it before */
  constructor(socket: Socket, peer: string, changed: () => void) {
    this.#socket = socket;
    this.#peer = peer;
    this.#changed = changed;
  }

  get isEmpty(): boolean {
    return this.#line.length === 0;
  }

  /** Sends a message; `bytes` may be changed after the call. */
  async write(bytes: Uint8Array, { timeout, signal }: Wait, what: string): Promise<void> {
    const sending = this.#begin(bytes, what, true);
    if (sending.hasEnded) {
      if (sending.error !== null) throw sending.error;
      return;
    }
    sending.keep();
    return waitLater<undefined>({
      handle: this,
      timeout,
      signal,
      begin: (task) => {
        sending.onEnd = () => {
          if (sending.error === null) task.done(undefined);
          else task.fail(sending.error);
        };
      },
      timedOut: (task) => {
        this.#leave(sending);
        task.fail(this.#timedOut(sending, timeout));
      },
      aborted: (task, reason) => {
        this.#leave(sending);
        task.fail(reason);
      },
    });
  }

  /** Sends a message, blocking this thread; those before it go first. */
  writeSync(bytes: Uint8Array, timeout: number, what: string): void {
    const deadline = performance.now() + timeout;
    const sending = this.#begin(bytes, what, false);
    try {
      while (!sending.hasEnded) {
        if (!this.#socket.block(true, deadline - performance.now(), what))
          throw this.#timedOut(sending, timeout);
        this.#push(false);
      }
    } finally {
      if (!sending.hasEnded) this.#leave(sending);
      this.#changed();
    }
    if (sending.error !== null) throw sending.error;
  }

  /** Sends a message if there is room for its beginning; its rest follows by itself. */
  tryWrite(bytes: Uint8Array, what: string): boolean {
    if (!this.isEmpty) return false;
    const sending = this.#begin(bytes, what, false);
    if (sending.error !== null) throw sending.error;
    if (!sending.hasEnded) this.#leave(sending);
    return sending.hasBegun;
  }

  /** A turn of the event loop: sends what there is room for. */
  turn(): void {
    this.#turns = 0;
    this.#push(true);
  }

  /** Whether there was anything. */
  forget(): boolean {
    return this.#line.splice(0).length > 0;
  }

  #begin(bytes: Uint8Array, what: string, isBounded: boolean): Sending {
    const sending = new Sending(bytes, what);
    this.#line.push(sending);
    if (this.#line.length === 1 || !isBounded) this.#push(isBounded);
    if (!sending.hasEnded) this.#changed();
    return sending;
  }

  /** The sender waits no longer. Half a message would spoil all that follow: its rest goes out. */
  #leave(sending: Sending): void {
    sending.onEnd = null;
    if (sending.hasBegun) sending.keep();
    else this.#line = this.#line.filter((other) => other !== sending);
    this.#changed();
  }

  #push(isBounded: boolean): void {
    for (let first; (first = this.#line[0]) !== undefined;) {
      if (isBounded && this.#turns++ >= turnsAtOnce) return;
      try {
        if (!first.push(this.#socket.fd)) return;
      } catch (error) {
        if (errnoOf(error) === undefined) throw error;
        this.failure = (what) => brokenPipe(what, this.#peer);
        for (const sending of this.#line.splice(0)) sending.end(this.failure(sending.what));
        return;
      }
      if (first.hasEnded) this.#line.shift();
    }
  }

  #timedOut({ hasBegun, what }: Sending, timeout: number): TimeoutError {
    const rest = hasBegun ? '; the message had begun, and its rest goes out nevertheless' : '';
    return new TimeoutError(`${what}: ${this.#peer} did not make room within ${timeout} ms${rest}`);
  }
}
