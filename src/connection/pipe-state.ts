/** What one environment has of a pipe's end (native/core/pipe.h says what its words mean, and who may write them). */
import { MultiprocessingError } from '../errors.js';
import { cas, headerOf, me, type Reference, slotWords, sweepDead } from '../memory/arena.js';
import { Block } from '../memory/block.js';
import type { Packed } from '../message/outgoing.js';
import { orFail } from '../native/failure.js';
import { native } from '../native/load.js';
import { How, type PipeWait } from '../native/message-binding.js';
import { describeOwner, ownerText } from '../sync/owner.js';
import type { LocalState, SyncState } from '../sync/sync-handle.js';
import { type Bell, WaitLine } from '../sync/wait-line.js';
import { brokenPipe, endOfStream } from './ended.js';
import { load, PipeRing } from './pipe-ring.js';
import { RingReader } from './ring-reader.js';
import { RingWriter } from './ring-writer.js';

const { layout } = native;
const { offsets } = layout;
const wordsPerSlot = layout.slotBytes / 4;
/** Words of an end's slot. */
const end = {
  header: offsets['Slot.header']! / 4,
  sender: offsets['PipeEnd.sender']! / 4,
  receiver: offsets['PipeEnd.receiver']! / 4,
  side: offsets['PipeEnd.side']! / 4,
  other: offsets['PipeEnd.other']! / 4,
  otherHeader: offsets['PipeEnd.other_header']! / 4,
} as const;
const dying = 0x80;

/** Says of a fresh end which one it is, and which is the other. */
export function initEnd(slot: number, side: 0 | 1, other: number): void {
  const at = slot * wordsPerSlot;
  slotWords[at + end.side] = side;
  slotWords[at + end.other] = other;
  slotWords[at + end.otherHeader] = headerOf(other);
}

export class PipeState implements LocalState, SyncState {
  readonly reference: Reference;
  readonly block: Reference;
  readonly #opened: { block: Block; buffer: ArrayBuffer };
  readonly #id: number;
  /** Where the words of the two ends begin in slotWords. */
  readonly #own: number;
  readonly #other: number;
  readonly #otherHeader: number;
  readonly #reader: RingReader | null;
  readonly #writer: RingWriter | null;
  readonly #roomBell: PipeBell;
  readonly #messageBell: PipeBell;
  readonly senders: WaitLine;
  readonly receivers: WaitLine;

  private constructor(reference: Reference, block: Reference) {
    this.reference = reference;
    this.block = block;
    this.#opened = Block.open(block, 'Pipe()');
    this.#id = orFail('ERR_MP_MEMORY', 'this Connection cannot be opened', () =>
      native.openRing(block.slot, block.slot),
    );
    this.#own = reference.slot * wordsPerSlot;
    this.#other = slotWords[this.#own + end.other]! * wordsPerSlot;
    this.#otherHeader = slotWords[this.#own + end.otherHeader]!;
    const { buffer } = this.#opened;
    const [units, rings] = new Int32Array(buffer, 0, 2) as unknown as [number, number];
    const side = slotWords[this.#own + end.side]!;
    const ring = (number: number): PipeRing => new PipeRing(this.#id, number, buffer, units * 8);
    // With one direction only, side 1 sends and side 0 receives.
    this.#writer = rings === 2 ? new RingWriter(ring(side)) : side === 1 ? new RingWriter(ring(0)) : null;
    this.#reader = rings === 2 ? new RingReader(ring(1 - side)) : side === 0 ? new RingReader(ring(0)) : null;
    const settle = (): void => {
      reference.settle();
    };
    this.#roomBell = new PipeBell();
    this.senders = new WaitLine(this.#roomBell, settle);
    this.#messageBell = new PipeBell();
    this.receivers = new WaitLine(this.#messageBell, settle);
  }

  /** The state of an end, which takes the two counts over. */
  static of(reference: Reference, block: Reference): PipeState {
    const known = reference.local;
    if (known instanceof PipeState) {
      block.release();
      return known;
    }
    return (reference.local = new PipeState(reference, block));
  }

  get readable(): boolean {
    return this.#reader !== null;
  }
  get writable(): boolean {
    return this.#writer !== null;
  }

  get mustStay(): boolean {
    return this.senders.waiting > 0 || this.receivers.waiting > 0;
  }

  leave(): void {
    for (const use of [end.sender, end.receiver]) cas((this.#own + use) * 4, me, 0);
    const unmap = (): void => {
      native.closeRing(this.#id);
      this.#opened.block.close(this.#opened.buffer);
    };
    if (this.#writer === null) unmap();
    else this.#writer.close(unmap);
  }

  forked(): void {
    this.senders.forked();
    this.receivers.forked();
  }

  failRequests(handle: object, reason: () => unknown): void {
    this.senders.failAll(handle, reason);
    this.receivers.failAll(handle, reason);
  }

  /** Puts a message if there is room for it now, and nobody here waits for room. */
  put(value: unknown, isBytes: boolean, what: string): boolean {
    const writer = this.#sender(what);
    return this.senders.waiting === 0 && writer.put(value, isBytes, what);
  }

  pack(value: unknown, isBytes: boolean, what: string): Packed {
    return this.#sender(what).pack(value, isBytes, what);
  }

  /** As an Attempt: puts what was packed, and settles it. */
  putPacked(packed: Packed, how: number, what: string): boolean {
    const { ring } = this.#sender(what);
    const head = Atomics.load(ring.words, ring.headAt);
    if (this.#writer!.putPacked(packed, what)) {
      packed.settle();
      return true;
    }
    const wait = this.#wait(ring, true, head);
    if ((how & How.spins) !== 0 && native.spinPipe(...wait)) return this.putPacked(packed, How.stands, what);
    this.#roomBell.wait = wait;
    // What has changed since the look is in `wait` already: it would not ring.
    if (this.#otherIsGone(end.receiver)) throw brokenPipe(what, 'the other end');
    return false;
  }

  /** Whether there is a message. @throws ClosedError at the end of the stream */
  look(what: string): boolean {
    const reader = this.#receiver(what);
    if (reader.look()) return true;
    if (!this.#otherIsGone(end.sender)) return false;
    // Look again: its last message may have come in between.
    if (reader.look()) return true;
    throw endOfStream(what, 'the other end');
  }

  /** As an Attempt, where there is no message: waits for one. True: look again. */
  await(how: number, what: string): boolean {
    if (this.look(what)) return true;
    const { ring, head } = this.#reader!;
    const wait = this.#wait(ring, false, head);
    if ((how & How.spins) !== 0 && native.spinPipe(...wait)) return this.await(How.stands, what);
    this.#messageBell.wait = wait;
    // What has changed since the look is in `wait` already: it would not ring.
    return this.look(what);
  }

  /** This environment as the one that sends here, for who does without the line. */
  sender(what: string): RingWriter {
    return this.#sender(what);
  }

  /** Passes the message that look() has found over. */
  skip(): void {
    this.#reader!.skip();
  }

  /** Takes the message that look() has found. */
  take(what: string): unknown {
    return this.#reader!.take(what);
  }
  takeInto(target: Uint8Array, what: string): number {
    return this.#reader!.takeInto(target, what);
  }
  peek(): { isBytes: boolean; length: number } {
    return this.#reader!.peek();
  }

  #wait(ring: PipeRing, head: boolean, value: number): PipeWait {
    const user = head ? end.receiver : end.sender;
    return [
      this.#id,
      ring.number,
      head,
      value,
      this.#other / wordsPerSlot,
      Atomics.load(slotWords, this.#other + end.header),
      Atomics.load(slotWords, this.#other + user),
    ];
  }

  /** Whether nobody has the other end any more, or who used it so is gone. */
  #otherIsGone(use: number): boolean {
    return (
      (load(slotWords, this.#other + end.header) & ~dying) !== this.#otherHeader ||
      load(slotWords, this.#other + use) === layout.abandonedOwner
    );
  }

  #sender(what: string): RingWriter {
    const writer = this.#writer;
    if (writer === null) throw oneWay(what, 'receives', 'other end sends');
    if (slotWords[this.#own + end.sender] !== me) {
      this.#become(end.sender, what);
      writer.begin();
    }
    if (this.#otherIsGone(end.receiver)) throw brokenPipe(what, 'the other end');
    return writer;
  }

  #receiver(what: string): RingReader {
    const reader = this.#reader;
    if (reader === null) throw oneWay(what, 'sends', 'other end receives');
    if (slotWords[this.#own + end.receiver] !== me) {
      this.#become(end.receiver, what);
      reader.begin();
    }
    return reader;
  }

  /** Makes this environment the one user of this end in a direction. */
  #become(use: number, what: string): void {
    const at = this.#own + use;
    for (;;) {
      const user = Atomics.load(slotWords, at);
      if (user === 0 || user === layout.abandonedOwner) {
        if (cas(at * 4, user, me) === user) return;
      } else if (native.ownerAlive(user)) {
        const owner = describeOwner(user);
        throw new MultiprocessingError(
          'ERR_MP_BUSY',
          `${what}: this end is used by ${owner === null ? 'somebody else' : `${ownerText(owner)} (pid ${owner.pid})`}: ` +
            'an end has one user at a time; close it there first, or make a pipe for each',
        );
      } else {
        sweepDead();
        if (Atomics.load(slotWords, at) === user) cas(at * 4, user, layout.abandonedOwner); // swept before it came here
      }
    }
  }
}

/** What waits for a ring's head or tail to move, or for the other end to go. */
class PipeBell implements Bell {
  /** Set by an attempt that was in vain. */
  wait: PipeWait | null = null;

  block(timeoutMs: number): ReturnType<Bell['block']> {
    return native.waitPipe(...this.wait!, timeoutMs);
  }
  watch(): number {
    return native.watchPipe(...this.wait!);
  }
  leave(): void {
    this.wait = null;
  }
}

function oneWay(what: string, does: string, instead: string): MultiprocessingError {
  return new MultiprocessingError(
    'ERR_MP_STATE',
    `${what}: this end only ${does}; the ${instead}. Make the pipe with { duplex: true } for both`,
  );
}
