import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { MultiprocessingError } from '../errors.js';
import { rangeError, show, typeError } from '../native/arguments.js';
import { native } from '../native/load.js';
import { SegmentKind } from '../native/segment-binding.js';
import { grant, type Handle, pin, registerKind, type Shareable, toHandle } from '../transfer/handle.js';
import type { Address } from './arena.js';
import { BlockBytes } from './block-bytes.js';
import { parseMode } from './create-array.js';
import {
  encode,
  format,
  plan,
  readRecord,
  readTable,
  type ShareableItem,
  type Slot,
  writeRecord,
} from './list-records.js';
import { bytesMax, orSegmentFailure, requestFor, Segment } from './segment.js';
import { creationFailure } from './segment-errors.js';
import { parseShared, type SegmentPlace } from './segment-name.js';
import { elementType } from './types.js';

export type { ShareableItem } from './list-records.js';

/** In front of names in shared memory. */
const prefix = 'multiproc.list.';
/** Offsets in the list are 32-bit numbers. */
const listBytesMax = Math.min(bytesMax, 0xffff_fff8);
const byte = elementType('uint8', 'ShareableList');

export interface ShareableListOptions {
  /** Left out when creating, the list has none: handles reach it, and it is gone with the last of them. */
  name?: string;
  /** The least room of each item, in bytes: 8 by default. Strings take their UTF-8 bytes. */
  capacity?: number;
  /** Who may open it, as of a file: 0o600 by default. */
  mode?: number;
}

interface NamedHandle extends Handle {
  readonly name: string;
  readonly id: string;
}
type ListHandle = NamedHandle | (Handle & Address);

/**
 * A list of fixed length in shared memory: numbers, BigInts of 64 bits, booleans, strings, Uint8Arrays and null.
 *
 * An item can be replaced by any other that fits in its room. Reading gives a copy. Nothing is locked: take a Lock around
 * what belongs together; a reader beside a writer may see a wrong value, never a crash. With a name it lives until
 * unlink(), whoever ends; without one as long as anybody has it open: nothing is left behind, however they end. What goes
 * in comes out: unlike Python's, whose format this is not, it cuts no text and keeps trailing NULs.
 *
 * ```js
 * const list = new ShareableList(['a', 1, null], { name: 'state' });
 * const same = new ShareableList(null, { name: 'state' });
 * ```
 */
export class ShareableList implements Iterable<ShareableItem>, Disposable, Shareable {
  readonly #segment: Segment | BlockBytes;
  readonly #slots: readonly Slot[];
  readonly #view: DataView;

  /**
   * @param items what to make the list of; null or undefined opens the list called `name`
   * @throws MultiprocessingError ERR_MP_EXISTS, ERR_MP_NOT_FOUND, ERR_MP_MEMORY, ERR_MP_ACCESS, ERR_MP_DAMAGED
   */
  constructor(items?: Iterable<ShareableItem> | null, options?: ShareableListOptions);
  /** @internal */
  constructor(segment: Segment | BlockBytes);
  constructor(
    items?: Iterable<ShareableItem> | Segment | BlockBytes | null,
    options: ShareableListOptions = {},
  ) {
    const what = 'new ShareableList()';
    if (typeof options !== 'object' || (options as unknown) === null) {
      throw typeError(`${what}: the options must be an object, not ${show(options)}`);
    }
    if (items === null || items === undefined || items instanceof Segment || items instanceof BlockBytes) {
      this.#segment = items ?? open(options.name, what);
      this.#view = new DataView(this.#segment.buffer);
      this.#slots = this.#table(what);
    } else {
      [this.#segment, this.#slots] = create(items, options, what);
      this.#view = new DataView(this.#segment.buffer);
    }
  }

  /** Takes a name away, as unlink() does. @throws MultiprocessingError ERR_MP_NOT_FOUND, ERR_MP_ACCESS */
  static delete(name: string): void {
    const what = `ShareableList.delete(${show(name)})`;
    const place = parseShared(name, prefix, what);
    orSegmentFailure(what, () => {
      native.unlinkSegment(place.name, false);
    });
  }

  /** The names of all lists. */
  static list(): string[] {
    const names = orSegmentFailure('ShareableList.list()', () => native.listSegments());
    return names.flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : [])).sort();
  }

  /** Null if it has none. */
  get name(): string | null {
    return this.#segment instanceof Segment ? this.#segment.place.label : null;
  }
  get length(): number {
    return this.#slots.length;
  }
  /** Whether something of it was lost while it was open here; methods throw then. */
  get damaged(): boolean {
    return this.#segment.damaged;
  }

  /** @throws RangeError if there is no such index */
  get(index: number): ShareableItem {
    return this.#read(this.#slot(index, 'get()'), 'get()');
  }

  /** The item at an index, negative ones counting from the end; undefined if there is none. */
  at(index: number): ShareableItem | undefined {
    this.#segment.check('ShareableList.at()');
    const slot = this.#slots.at(index);
    return slot === undefined ? undefined : this.#read(slot, 'at()');
  }

  /** Replaces an item. @throws RangeError if there is no such index, or the value takes more bytes than the item has room */
  set(index: number, value: ShareableItem): void {
    const what = 'ShareableList.set()';
    const slot = this.#slot(index, 'set()');
    const encoded = encode(value, what);
    if (encoded.bytes.length > slot.capacity) {
      throw rangeError(
        `${what}: the value takes ${encoded.bytes.length} bytes, item ${index} has room for ${slot.capacity}; ` +
          'make the list with a larger { capacity }',
      );
    }
    writeRecord(this.#view, slot, encoded);
    this.#segment.check(what);
  }

  /** How many bytes an item has room for. */
  capacity(index: number): number {
    return this.#slot(index, 'capacity()').capacity;
  }

  /** The first index of a value; -1 if there is none. Uint8Arrays are compared by their bytes. */
  indexOf(value: ShareableItem): number {
    this.#segment.check('ShareableList.indexOf()');
    return this.#slots.findIndex((slot) => same(this.#read(slot, 'indexOf()'), value));
  }

  /** How many items have a value. */
  count(value: ShareableItem): number {
    this.#segment.check('ShareableList.count()');
    return this.#slots.filter((slot) => same(this.#read(slot, 'count()'), value)).length;
  }

  *[Symbol.iterator](): IterableIterator<ShareableItem> {
    for (let i = 0; i < this.length; i++) yield this.get(i);
  }

  /** Detaches this handle; methods then throw ClosedError. Others keep theirs. Twice is harmless. */
  close(): void {
    this.#segment.close();
  }

  /**
   * Takes the name away, also after close(); does nothing if there is none. Those that have the list open keep it. The
   * second one is ERR_MP_NOT_FOUND.
   */
  unlink(): void {
    if (this.#segment instanceof BlockBytes) return;
    const { place, facts } = this.#segment;
    orSegmentFailure(`ShareableList.unlink() of ${show(place.label)}`, () => {
      native.unlinkSegment(place.name, false, facts.device, facts.inode);
    });
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Travels by its name, if it has one; an error on arrival if another list has the name by then. */
  [toHandle](): ListHandle {
    const segment = this.#segment;
    segment.check('share()');
    const multiproc = 'ShareableList';
    if (segment instanceof BlockBytes) return { multiproc, ...segment.reference.address };
    return { multiproc, name: segment.place.label, id: segment.facts.id.toString(16) };
  }
  /** With a name there is nothing to keep: it lives until it is unlinked. */
  [pin](): () => void {
    const segment = this.#segment;
    segment.check('share()');
    return segment instanceof BlockBytes ? segment.reference.pin() : () => undefined;
  }
  [grant](ownerId: number): void {
    const segment = this.#segment;
    segment.check('share()');
    if (segment instanceof BlockBytes) segment.reference.grant(ownerId);
  }

  #table(what: string): Slot[] {
    const slots = readTable(this.#view);
    if (slots !== undefined && !this.#segment.damaged) return slots;
    this.#segment.close();
    throw damagedError(`${what} ${show(this.name)}: somebody overwrote its table of items`);
  }

  #slot(index: number, method: string): Slot {
    const what = `ShareableList.${method}`;
    this.#segment.check(what);
    if (typeof index !== 'number') throw typeError(`${what}: the index must be a number, not ${show(index)}`);
    const slot = this.#slots[index];
    if (slot === undefined)
      throw rangeError(`${what}: there is no item ${index}; the list has ${this.length}`);
    return slot;
  }

  #read(slot: Slot, method: string): ShareableItem {
    const what = `ShareableList.${method}`;
    const value = readRecord(this.#view, slot);
    this.#segment.check(what);
    if (value !== undefined) return value;
    throw damagedError(`${what} ${show(this.name)}: somebody overwrote the item`);
  }

  [inspect.custom](): string {
    const name = this.name === null ? '(no name)' : show(this.name);
    if (!this.#segment.isOpen) return `<ShareableList ${name} closed>`;
    if (this.#segment.damaged) return `<ShareableList ${name} damaged>`;
    return `<ShareableList ${name} length=${this.length}>`;
  }
}

function create(
  items: Iterable<ShareableItem>,
  options: ShareableListOptions,
  what: string,
): [Segment | BlockBytes, Slot[]] {
  const { name, capacity = 8, mode } = options;
  if (typeof (items as Partial<typeof items>)[Symbol.iterator] !== 'function') {
    throw typeError(`${what}: takes an iterable of items, not ${show(items)}`);
  }
  if (!Number.isSafeInteger(capacity) || capacity < 0 || capacity > listBytesMax) {
    throw rangeError(`${what}: capacity must be an integer from 0 to ${listBytesMax}, not ${show(capacity)}`);
  }
  const encoded = Array.from(items, (item: unknown, i) => encode(item, `${what}: item ${i}`));
  const { slots, size } = plan(encoded, Math.max(capacity, 8));
  if (size > listBytesMax)
    throw rangeError(`${what}: the list takes ${size} bytes; at most ${listBytesMax} are possible`);
  const facts = {
    mode: parseMode(mode, what),
    reserve: true,
    elementType: byte.number,
    elementBytes: 1,
    shape: [size],
  };
  const bytes = format(encoded, slots, size);
  if (name === undefined) {
    return [BlockBytes.create(native.layout.kindList, bytes, 'ShareableList', what), slots];
  }
  const place: SegmentPlace = parseShared(name, prefix, what);
  const id = randomBytes(8).readBigUInt64LE();
  try {
    const request = { ...requestFor(place, SegmentKind.list), ...facts, bytes, id };
    return [Segment.create(place, request, 'error', 'ShareableList'), slots];
  } catch (error) {
    throw creationFailure(error, `${what} ${show(place.label)}`, place);
  }
}

function open(name: unknown, what: string): Segment {
  if (name === undefined) throw typeError(`${what}: opening needs { name }; creating needs items`);
  const place = parseShared(name, prefix, what);
  const request = requestFor(place, SegmentKind.list);
  return Segment.openOrFail(place, request, 'ShareableList', `${what} ${show(place.label)}`);
}

function damagedError(message: string): MultiprocessingError {
  return new MultiprocessingError('ERR_MP_DAMAGED', message);
}

function same(a: ShareableItem, b: unknown): boolean {
  return a instanceof Uint8Array && b instanceof Uint8Array ? Buffer.compare(a, b) === 0 : a === b;
}

registerKind<ListHandle>('ShareableList', (handle) => {
  if ('slot' in handle) {
    return new ShareableList(BlockBytes.open(handle, native.layout.kindList, 'ShareableList'));
  }
  const { name, id } = handle;
  const what = 'open(): ShareableList';
  const segment = open(name, what);
  if (segment.facts.id.toString(16) === id) return new ShareableList(segment);
  segment.close();
  throw new MultiprocessingError(
    'ERR_MP_NOT_FOUND',
    `${what} ${show(name)}: it was unlinked meanwhile; another list has its name now`,
  );
});
