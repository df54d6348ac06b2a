/** One handle's use of a named segment. */
import { constants } from 'node:buffer';
import { ClosedError, MultiprocessingError } from '../errors.js';
import { native } from '../native/load.js';
import {
  GuardFlag,
  type OpenedSegment,
  type PublishHow,
  type SegmentFacts,
  type SegmentProblem,
  type SegmentRequest,
} from '../native/segment-binding.js';
import { segmentFailure, segmentProblem } from './segment-errors.js';
import type { SegmentPlace } from './segment-name.js';

/** What a buffer of this Node.js can hold. */
export const bytesMax = constants.MAX_LENGTH;

let flags: Int32Array | undefined;
const empty = new ArrayBuffer(0);

/** The part of a request that says which segment is meant. */
export function requestFor(
  place: SegmentPlace,
  kind: SegmentRequest['kind'],
  readOnly = false,
): SegmentRequest {
  return { name: place.name, isPath: place.isPath, kind, sizeMax: bytesMax, readOnly };
}

/** Runs a native call; the system's errors come out as the package's. */
export function orSegmentFailure<T>(what: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw segmentFailure(error, what);
  }
}

export class Segment {
  readonly place: SegmentPlace;
  readonly facts: SegmentFacts;
  readonly readOnly: boolean;
  /** In messages: the class and the name. */
  readonly #subject: string;
  readonly #index: number;
  readonly #guard: number;
  #buffer: ArrayBuffer | null;

  constructor(place: SegmentPlace, opened: OpenedSegment, readOnly: boolean, kindName: string) {
    const { index, guard, buffer, ...facts } = opened;
    flags ??= new Int32Array(native.segmentFlags());
    this.place = place;
    this.facts = facts;
    this.readOnly = readOnly;
    this.#subject = `${kindName} ${JSON.stringify(place.label)}`;
    this.#index = index;
    this.#guard = guard;
    this.#buffer = buffer;
  }

  /** Creates and opens. @param how whether something of that name is replaced */
  static create(place: SegmentPlace, request: SegmentRequest, how: PublishHow, kindName: string): Segment {
    return new Segment(place, native.createSegment(request, how), false, kindName);
  }

  /** Opens, or says what is wrong with what has the name. */
  static open(place: SegmentPlace, request: SegmentRequest, kindName: string): Segment | SegmentProblem {
    const found = native.openSegment(request);
    return found.problem === '' ? new Segment(place, found, request.readOnly === true, kindName) : found;
  }

  /** Opens; whatever is wrong is thrown. */
  static openOrFail(place: SegmentPlace, request: SegmentRequest, kindName: string, what: string): Segment {
    const found = orSegmentFailure(what, () => Segment.open(place, request, kindName));
    if (found instanceof Segment) return found;
    throw segmentProblem(found, what, kindName);
  }

  get isOpen(): boolean {
    return this.#buffer !== null;
  }
  /** The data; empty once closed. */
  get buffer(): ArrayBuffer {
    return this.#buffer ?? empty;
  }
  /** Whether a page of it was gone when this process touched it. */
  get damaged(): boolean {
    return this.#buffer !== null && (flags![this.#guard]! & GuardFlag.damaged) !== 0;
  }
  get written(): boolean {
    return this.readOnly && this.#buffer !== null && (flags![this.#guard]! & GuardFlag.written) !== 0;
  }

  /** Throws if the handle is closed, the segment damaged, or its read-only data was written to since the last check. */
  check(what: string): void {
    if (this.#buffer === null) throw new ClosedError(`${what}: this handle of ${this.#subject} was closed`);
    if (flags![this.#guard] !== 0) this.#checkSlow(what);
  }

  #checkSlow(what: string): void {
    if (this.damaged) {
      throw new MultiprocessingError(
        'ERR_MP_DAMAGED',
        `${what}: ${this.#subject} was damaged while in use: somebody made it shorter, or there was no memory left for ` +
          'its pages. What was lost reads as zeros here; close it and create it again',
      );
    }
    if (this.written) {
      native.restoreSegment(this.#index);
      throw this.writtenError(what);
    }
  }

  /** Throws if the handle may not write. */
  checkWritable(what: string): void {
    if (!this.readOnly) return;
    throw new MultiprocessingError(
      'ERR_MP_READ_ONLY',
      `${what}: ${this.#subject} was attached read-only; attach it without { readOnly: true } to write`,
    );
  }

  writtenError(what: string): MultiprocessingError {
    return new MultiprocessingError(
      'ERR_MP_READ_ONLY',
      `${what}: ${this.#subject} was attached read-only, and its data was written to; nobody else sees that, and it is ` +
        'undone with the next use of the handle. Attach it without { readOnly: true } to write',
    );
  }

  sync(what: string): void {
    this.check(what);
    orSegmentFailure(what, () => {
      native.syncSegment(this.#index);
    });
    this.check(what);
  }

  /** Twice is harmless. The last handle of this environment detaches the buffer. */
  close(): void {
    if (this.#buffer === null) return;
    this.#buffer = null;
    native.closeSegment(this.#index);
  }
}
