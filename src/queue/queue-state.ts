/** What one environment has of a queue: its two objects, its id for native code, and who waits for it here. */
import { ClosedError, MultiprocessingError, ShutDownError } from '../errors.js';
import type { Reference } from '../memory/arena.js';
import { incoming, out } from '../message/buffers.js';
import { queueGet, queueGetHow, queuePut, queuePutHow } from '../message/calls.js';
import { pack, type Packed, writeOut } from '../message/outgoing.js';
import { MessageReader, valueAtOnce, valueLater } from '../message/reader.js';
import { recordBytesMax } from '../message/record.js';
import type { MessageWriter } from '../message/writer.js';
import { orFail } from '../native/failure.js';
import { native } from '../native/load.js';
import { How, QueueResult } from '../native/message-binding.js';
import type { LocalState, SyncState } from '../sync/sync-handle.js';
import { WaitLine } from '../sync/wait-line.js';
import { QueueSeat } from './queue-seat.js';
import type { Remaining } from './remaining.js';
import { inPlaceOf } from './unreadable.js';

const unitBytes = 8;

const reader = new MessageReader();

export class QueueState implements LocalState, SyncState {
  readonly reference: Reference;
  readonly ring: Reference;
  readonly id: number;
  /** Of a JoinableQueue: what is got is to be said to be done. */
  readonly counts: boolean;
  readonly className: string;
  /** Counts what was taken from a JoinableQueue as well. */
  readonly getterSeat: QueueSeat;
  readonly getters: WaitLine;
  readonly putterSeat: QueueSeat;
  readonly putters: WaitLine;
  readonly joinerSeat: QueueSeat;
  readonly joiners: WaitLine;
  /** The longest record that the ring takes; longer ones travel in parcels. */
  readonly #recordBytes: number;
  #hasLeft = false;

  private constructor(reference: Reference, ring: Reference, className: string) {
    this.reference = reference;
    this.ring = ring;
    this.counts = className === 'JoinableQueue';
    this.className = className;
    this.id = orFail('ERR_MP_MEMORY', `this ${className} cannot be opened`, () =>
      native.openRing(reference.slot, ring.slot),
    );
    const settle = (): void => {
      reference.settle();
    };
    this.getterSeat = new QueueSeat(reference.slot, this.id);
    this.getters = new WaitLine(this.getterSeat, settle);
    this.putterSeat = new QueueSeat(reference.slot, this.id);
    this.putters = new WaitLine(this.putterSeat, settle);
    this.joinerSeat = new QueueSeat(reference.slot, this.id);
    this.joiners = new WaitLine(this.joinerSeat, settle);
    this.#recordBytes = Math.min(recordBytesMax, native.queueFacts(this.id)[5] / 4);
  }

  /** The state of a queue, which takes the two counts over. */
  static of(reference: Reference, ring: Reference, className: string): QueueState {
    const known = reference.local;
    if (known instanceof QueueState) {
      ring.release();
      return known;
    }
    return (reference.local = new QueueState(reference, ring, className));
  }

  get mustStay(): boolean {
    return this.#lines.some((line) => line.waiting > 0);
  }

  leave(): void {
    this.#hasLeft = true;
    for (const seat of this.#seats) seat.giveUp();
    native.closeRing(this.id);
    this.ring.release();
  }

  forked(): void {
    for (const line of this.#lines) line.forked();
    for (const seat of this.#seats) seat.forked();
  }

  failRequests(handle: object, reason: () => unknown): void {
    for (const line of this.#lines) line.failAll(handle, reason);
  }

  get #lines(): readonly WaitLine[] {
    return [this.getters, this.putters, this.joiners];
  }
  get #seats(): readonly QueueSeat[] {
    return [this.getterSeat, this.putterSeat, this.joinerSeat];
  }

  /**
   * Puts a value, unless there is no room for it now, or somebody here waits for room: then it is packed if that is wanted.
   * True: it is in the queue.
   */
  tryPut(value: unknown, what: string, packs: boolean): boolean | Packed {
    return writeOut((writer) => {
      const end = writer.write(value, out, 0, this.#recordBytes, this.#recordBytes, '');
      this.#checkHere(what);
      const code = this.putters.waiting > 0 ? QueueResult.waits : queuePut(this.id, end / unitBytes) & 7;
      if (code === QueueResult.done) return true;
      if (code !== QueueResult.waits) throw this.failure(code, what);
      return packs && pack(writer, 0, end);
    });
  }

  /**
   * Puts values one after the other, many with one call. True: all are in the queue. Else what is packed is to be put before
   * this is called again.
   */
  putSome(values: Remaining, what: string): true | Packed {
    for (;;) {
      const left = writeOut((writer) => this.#putBatch(writer, values, what));
      if (left !== null) return left;
    }
  }

  /** Puts as many values as the buffer has room for. Null: there may be more. */
  #putBatch(writer: MessageWriter, values: Remaining, what: string): true | Packed | null {
    const end = values.write(writer, this.#recordBytes);
    if (end === 0) return true;
    this.#checkHere(what);
    const code = this.putters.waiting > 0 ? QueueResult.waits : queuePut(this.id, end / unitBytes);
    if ((code & 7) === QueueResult.waits) return pack(writer, (code >>> 3) * unitBytes, end);
    if ((code & 7) !== QueueResult.done) throw this.failure(code & 7, what);
    return null;
  }

  /** After code of the program's has run, in the middle of a call. */
  #checkHere(what: string): void {
    if (this.#hasLeft)
      throw new ClosedError(`${what}: a getter or iterator of what is put has closed this ${this.className}`);
  }

  /** Puts what was packed, as far as there is room. True: all of it is in the queue. */
  putPacked(packed: Packed, how: number, what: string): boolean {
    const code = writeOut(() => {
      out.bytes.set(packed.bytes);
      return queuePutHow(this.id, packed.bytes.length / unitBytes, how, this.putterSeat.number);
    });
    packed.bytes = packed.bytes.subarray((code >>> 3) * unitBytes);
    if ((code & 7) === QueueResult.waits) return false;
    packed.settle();
    if ((code & 7) !== QueueResult.done) throw this.failure(code & 7, what);
    return true;
  }

  /** A message, or null if there is none now. `later`: its value may be a promise for it. */
  tryGet(shared: boolean, what: string, later = false): { value: unknown } | null {
    const code = this.counts
      ? queueGetHow(this.id, 1, How.counts, this.getterSeat.number)
      : queueGet(this.id, 1);
    return this.#got(code) ? { value: this.#read(0, shared, what, later) } : this.#none(code, what);
  }

  /** How many messages are in it, at a moment during the call; 0 if it was closed here. */
  get length(): number {
    return this.#hasLeft ? 0 : native.queueLength(this.id);
  }

  /**
   * Up to `max` messages, as many as a native call gives at once; null if there is none now. To be looked at with allRead(),
   * when those that are promises have settled.
   */
  getSome(max: number, shared: boolean, what: string, later: boolean, how = 0): unknown[] | null {
    const code =
      this.counts || how !== 0
        ? queueGetHow(this.id, max, this.counts ? how | How.counts : how, this.getterSeat.number)
        : queueGet(this.id, max);
    if (!this.#got(code)) return this.#none(code, what);
    const values: unknown[] = [];
    const failures: [at: number, error: unknown][] = [];
    const end = (code >>> 3) * unitBytes;
    for (let at = 0; at < end; at = reader.end(incoming, at)) {
      try {
        values.push(reader.read(incoming, at, shared, what));
      } catch (error) {
        failures.push([values.push(undefined) - 1, error]);
      }
    }
    // Only now: a module that is loaded for a message may get some itself, into the buffer that we have just read.
    for (const [at, error] of failures) values[at] = inPlaceOf(error, later);
    return values;
  }

  /** As an Attempt that takes nothing: whether there is a message, or never will be. */
  awaitMessage(): boolean {
    const seat = this.getterSeat.number;
    queueGetHow(this.id, 0, How.stands, seat); // none of them: it only stands in line
    const [length, , , , shut] = native.queueFacts(this.id);
    if (length === 0 && shut === 0) return false;
    native.queueWithdraw(this.id, seat); // if we were told of a message, the next one is now
    return true;
  }

  #read(at: number, shared: boolean, what: string, later: boolean): unknown {
    try {
      return reader.read(incoming, at, shared, what);
    } catch (error) {
      return later ? valueLater(error) : valueAtOnce(error);
    }
  }

  #got(code: number): boolean {
    return (code & 7) === QueueResult.done;
  }

  #none(code: number, what: string): null {
    if ((code & 7) === QueueResult.waits) return null;
    throw this.failure(code & 7, what);
  }

  failure(code: number, what: string): MultiprocessingError {
    if (code === QueueResult.shut) return new ShutDownError(`${what}: this ${this.className} was shut down`);
    if (code === QueueResult.tooLarge) {
      const [, , , maxBytes] = native.queueFacts(this.id);
      return new MultiprocessingError(
        'ERR_MP_MESSAGE_SIZE',
        `${what}: this message is larger than the ${maxBytes} bytes that this ${this.className} holds at most; ` +
          'make it with a larger { maxBytes }',
      );
    }
    return new MultiprocessingError(
      'ERR_MP_DAMAGED',
      `${what}: the memory of this ${this.className} is damaged: some process of this tree has overwritten it`,
    );
  }
}
