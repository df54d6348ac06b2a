import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { ClosedError, MultiprocessingError } from '../errors.js';
import { rangeError, show, typeError } from '../native/arguments.js';
import { native } from '../native/load.js';
import { SegmentKind } from '../native/segment-binding.js';
import { grant, type Handle, pin, registerKind, type Shareable, toHandle } from '../transfer/handle.js';
import { parseMode, parseReserve } from './create-array.js';
import { bytesMax, orSegmentFailure, requestFor, Segment } from './segment.js';
import { creationFailure, errnoOf } from './segment-errors.js';
import { parseShared, type SegmentPlace } from './segment-name.js';

export interface SharedMemoryOptions {
  /** Left out when creating, a name is made: `psm_` and 8 hexadecimal digits. A leading slash is dropped. */
  name?: string;
  /** Makes a new block instead of opening one. */
  create?: boolean;
  /** Bytes, when creating. Opening takes the size that is there. */
  size?: number;
  /** Who may open it, as of a file: 0o600 by default. */
  mode?: number;
  /** Whether the memory is reserved now, so that it cannot run out later. True by default. */
  reserve?: boolean;
  /** Taken and ignored, for Python's sake: nothing here deletes what others use. */
  track?: boolean;
}

export interface SharedMemoryFacts {
  name: string;
  size: number;
}

interface MemoryHandle extends Handle {
  readonly name: string;
  readonly device: string;
  readonly inode: string;
}

/** Other people's: POSIX semaphores, our own arrays and lists. */
const foreign = /^(sem\.|multiproc\.|\.)/;

function parsePlace(name: unknown, what: string): SegmentPlace {
  return parseShared(typeof name === 'string' && name.startsWith('/') ? name.slice(1) : name, '', what);
}

function create(given: SharedMemoryOptions, what: string): Segment {
  const { name, mode, reserve } = given;
  const size: unknown = given.size ?? 0;
  if (typeof size !== 'number') throw typeError(`${what}: size must be a number, not ${show(size)}`);
  if (!Number.isSafeInteger(size) || size < 1 || size > bytesMax) {
    throw rangeError(`${what}: size must be an integer from 1 to ${bytesMax}, not ${size}`);
  }
  const request = { size, mode: parseMode(mode, what), reserve: parseReserve(reserve, what) };
  for (;;) {
    const place = parsePlace(name ?? `psm_${randomBytes(4).toString('hex')}`, what);
    try {
      const whole = { ...requestFor(place, SegmentKind.plain), ...request };
      return Segment.create(place, whole, 'error', 'SharedMemory');
    } catch (error) {
      if (name === undefined && errnoOf(error) === 'EEXIST') continue;
      throw creationFailure(error, `${what} ${show(place.label)}`, place);
    }
  }
}

function attach(place: SegmentPlace, what: string): Segment {
  const request = requestFor(place, SegmentKind.plain);
  return Segment.openOrFail(place, request, 'SharedMemory', `${what} ${show(place.label)}`);
}

/**
 * A named block of bytes, the same as Python's `multiprocessing.shared_memory.SharedMemory`: same names, exact sizes, so
 * that both meet on it. On Linux it is the file `/dev/shm/<name>`, with nothing in it but the bytes.
 *
 * It lives until somebody calls unlink(), whoever ends, also when its name was made for it: others may know it by then. What
 * must leave nothing behind is a RawArray('B', size). Python before 3.13, and later ones without `track=False`, delete
 * what they have attached to when they exit. The memory is reserved at creation: no SIGBUS later.
 *
 * ```js
 * const block = new SharedMemory({ name: 'frame', create: true, size: 1 << 20 });
 * block.buf.fill(7);
 * ```
 */
export class SharedMemory implements Disposable, Shareable {
  readonly #segment: Segment;
  readonly #size: number;
  #buf: Buffer<ArrayBuffer>;

  /**
   * @throws MultiprocessingError ERR_MP_EXISTS, ERR_MP_NOT_FOUND, ERR_MP_MEMORY, ERR_MP_ACCESS, ERR_MP_DAMAGED (not a
   * plain file, or empty)
   */
  constructor(options: SharedMemoryOptions);
  /** @internal */

  constructor(segment: Segment);
  constructor(given: SharedMemoryOptions | Segment) {
    const what = 'new SharedMemory()';
    if (given instanceof Segment) {
      this.#segment = given;
    } else {
      if (typeof given !== 'object' || (given as unknown) === null) {
        throw typeError(`${what}: takes { name } to open, or { create: true, size } to create`);
      }
      const making: unknown = given.create ?? false;
      if (typeof making !== 'boolean')
        throw typeError(`${what}: create must be true or false, not ${show(making)}`);
      if (!making && given.name === undefined) {
        throw typeError(`${what}: opening needs a name; give { create: true, size } to create one`);
      }
      this.#segment = making ? create(given, what) : attach(parsePlace(given.name, what), what);
    }
    this.#buf = Buffer.from(this.#segment.buffer);
    this.#size = this.#segment.buffer.byteLength;
  }

  /** Takes a name away, as unlink() does. @throws MultiprocessingError ERR_MP_NOT_FOUND, ERR_MP_ACCESS */
  static delete(name: string): void {
    const what = `SharedMemory.delete(${show(name)})`;
    const place = parsePlace(name, what);
    orSegmentFailure(what, () => {
      native.unlinkSegment(place.name, false);
    });
  }

  /** The blocks that this user may open, Python's as well; not semaphores, nor other objects of multiproc. */
  static list(): SharedMemoryFacts[] {
    const names = orSegmentFailure('SharedMemory.list()', () => native.listSegments());
    return names
      .filter((name) => !foreign.test(name))
      .sort()
      .flatMap((name) => {
        try {
          const place = { label: name, name, isPath: false };
          const { problem, fileSize } = native.inspectSegment(requestFor(place, SegmentKind.plain));
          return problem === '' ? [{ name, size: fileSize }] : [];
        } catch {
          return []; // deleted meanwhile, or another user's
        }
      });
  }

  /** The bytes, exactly `size` of them. Empty once closed. Ends of pages that were cut off read as zeros: see damaged. */
  get buf(): Buffer<ArrayBuffer> {
    return this.#buf;
  }
  /** Without a leading slash. */
  get name(): string {
    return this.#segment.place.label;
  }
  get size(): number {
    return this.#size;
  }
  /** Whether bytes were lost while the block was open here: somebody made it shorter, or it was not reserved. */
  get damaged(): boolean {
    return this.#segment.damaged;
  }

  /**
   * Detaches this handle; `buf` is empty then. The last handle of this thread on the block detaches all views of it.
   * Other threads and processes keep theirs. Twice is harmless.
   */
  close(): void {
    this.#segment.close();
    this.#buf = Buffer.from(new ArrayBuffer(0));
  }

  /**
   * Takes the name away, also after close(). Those that have the block open keep it; the memory is freed when the last one
   * closes. Once, whoever does it: the second is ERR_MP_NOT_FOUND. Never deletes another block that has the name by now.
   */
  unlink(): void {
    const { place, facts } = this.#segment;
    orSegmentFailure(`SharedMemory.unlink() of ${show(place.label)}`, () => {
      native.unlinkSegment(place.name, false, facts.device, facts.inode);
    });
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Travels by its name; an error on arrival if another block has the name by then. */
  [toHandle](): MemoryHandle {
    this.#check();
    const { place, facts } = this.#segment;
    const [device, inode] = [facts.device.toString(), facts.inode.toString()];
    return { multiproc: 'SharedMemory', name: place.label, device, inode };
  }
  /** There is nothing to keep: it lives until it is unlinked. */
  [pin](): () => void {
    return () => undefined;
  }
  [grant](): void {
    this.#check();
  }

  #check(): void {
    if (this.#segment.isOpen) return;
    throw new ClosedError(`share(): this handle of SharedMemory ${show(this.name)} was closed`);
  }

  [inspect.custom](): string {
    const state = !this.#segment.isOpen ? ' closed' : this.#segment.damaged ? ' damaged' : '';
    return `<SharedMemory ${show(this.name)} size=${this.#size}${state}>`;
  }
}

registerKind<MemoryHandle>('SharedMemory', ({ name, device, inode }) => {
  const what = 'open(): SharedMemory';
  const segment = attach(parsePlace(name, what), what);
  const { facts } = segment;
  if (facts.device.toString() === device && facts.inode.toString() === inode)
    return new SharedMemory(segment);
  segment.close();
  throw new MultiprocessingError(
    'ERR_MP_NOT_FOUND',
    `${what} ${show(name)}: it was unlinked meanwhile; another block has its name now`,
  );
});
