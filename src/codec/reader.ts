/**
 * Reads values as format.ts says: here what is met often; the rest in read-rare.ts.
 *
 * Every byte may be anything, and may change while it is read: all is checked where it is used, and what is used twice is
 * read once. An object's values may not reach into its keys, so that no byte is read for two objects.
 */
import { MultiprocessingError } from '../errors.js';
import { damaged, isStackOverflow } from './failures.js';
import type { Surroundings } from './decoder.js';
import * as f from './format.js';
import type { Bytes, Memory } from './memory.js';
import { emptyRare, fillRare, readRare } from './read-rare.js';
import { Shapes, type ValueSource } from './shapes.js';
import { ShortStrings } from './short-strings.js';
import { isThenable } from './thenable.js';

/** Above this V8 makes `new Array(n)` a table of indices. */
const longestAtOnce = 30_000_000;

const nothing: Surroundings = { shared: [], large: [] };

/** A container that was met too deep in the message; what is in it comes later. */
interface Later {
  object: object;
  tag: number;
}

export class Reader implements ValueSource {
  around: Surroundings = nothing;
  isBusy = false;
  hasFunctions = false;
  /** Whether nothing is left of the last message. */
  #isClean = true;
  /** Reservations of address space that resizable ArrayBuffers have taken. */
  resizables = 0;
  #memory!: Memory;
  #bytes!: Bytes;
  #view!: DataView;
  #p = 0;
  #end = 0;
  #depth = 0;
  /** Elements that arrays may still claim to have: each should take a byte at least. */
  #room = 0;
  /** In a graph all objects, by number. */
  #objects: (object | null)[] | null = null;
  #later: Later[] = [];
  /** What came from outside: functionOf() may throw anything. */
  #foreign: unknown = undefined;
  readonly #shapes = new Shapes();
  readonly #strings = new ShortStrings();

  message(memory: Memory, start: number, end: number, around: Surroundings): unknown {
    if (!this.#isClean) this.#forget();
    this.#isClean = false;
    this.isBusy = true;
    this.#memory = memory;
    this.#bytes = memory.bytes;
    this.#view = memory.view;
    this.#p = start;
    this.#end = Math.min(end, memory.bytes.length);
    this.#room = 4 * (end - start) + 1024;
    this.around = around;
    try {
      const header = this.u8();
      if (header === f.graph) this.#objects = [];
      else if (header !== f.tree) throw damaged('it does not begin as one');
      const value = this.value();
      for (let i = 0; i < this.#later.length; i++) this.#fill(this.#later[i]!);
      // Who keeps messages may round their lengths up.
      if (this.#end - this.#p >= 8) throw damaged('there is more than one value in it');
      if (this.hasFunctions && isThenable(value)) throw damaged('who awaits it would call a function of its');
      return value;
    } catch (error) {
      throw this.#explained(error);
    } finally {
      this.isBusy = false;
      this.#forget(); // at the end of the stack this may fail: then the next message does it
    }
  }

  #explained(error: unknown): unknown {
    if (error instanceof MultiprocessingError || (error !== undefined && error === this.#foreign))
      return error;
    if (isStackOverflow(error)) return error;
    return damaged(error instanceof Error ? error.message : String(error), error);
  }

  #forget(): void {
    this.around = nothing;
    this.#objects = null;
    if (this.#later.length > 0) this.#later = [];
    this.#depth = 0;
    this.#foreign = undefined;
    this.resizables = 0;
    this.hasFunctions = false;
    this.#isClean = true;
  }

  value(): unknown {
    const p = this.#p;
    const end = this.#end;
    const bytes = this.#bytes;
    if (p >= end) throw damaged('it ends too early');
    const tag = bytes[p]!;
    if (tag === f.tInt8 && p + 2 <= end) {
      this.#p = p + 2;
      return (bytes[p + 1]! << 24) >> 24;
    }
    if (tag === f.tShort && p + 2 <= end) {
      const n = bytes[p + 1]!;
      if (p + 2 + n > end) throw damaged('it ends too early');
      this.#p = p + 2 + n;
      return this.#strings.read(bytes, p + 2, n);
    }
    this.#p = p + 1;
    switch (tag) {
      case f.tInt32:
        return this.#view.getInt32(this.#take(4), true);
      case f.tObject:
        return this.#object();
      case f.tArray:
        return this.#array(null);
      case f.tDouble:
        return this.double();
      case f.tTrue:
        return true;
      case f.tFalse:
        return false;
      case f.tNull:
        return null;
      case f.tUndefined:
        return undefined;
      case f.tLatin1:
        return this.#latin1();
      case f.tUtf16:
        return this.#utf16();
      case f.tInts:
        return this.#ints(null);
      case f.tDoubles:
        return this.#doubles(null);
      case f.tRef:
        return this.#ref();
      case f.tLater:
        return this.#leftForLater();
      default:
        return this.#rare(tag);
    }
  }

  u8(): number {
    return this.#bytes[this.#take(1)]!;
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  double(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  bigint64(): bigint {
    return this.#view.getBigInt64(this.#take(8), true);
  }

  string(): string {
    const value = this.value();
    if (typeof value !== 'string') throw damaged('there is no string where one must be');
    return value;
  }

  /** The next bytes as a Buffer: where it lies does not matter, so small ones share a pool. */
  buffer(length: number): Buffer {
    const p = this.#take(length);
    const buffer = Buffer.allocUnsafe(length);
    this.#bytes.copy(buffer, 0, p, p + length);
    return buffer;
  }

  /** A copy of the next bytes. */
  copy(length: number): ArrayBuffer {
    const at = this.#take(length) + this.#bytes.byteOffset;
    return (this.#bytes.buffer as ArrayBuffer).slice(at, at + length);
  }

  /** Every object as soon as it is there: what is in it may refer to it. */
  made<T extends object>(object: T): T {
    this.#objects?.push(object);
    return object;
  }

  /** The number of an object that can only be made when what is in it has been read. */
  reserve(): number {
    return this.#objects === null ? -1 : this.#objects.push(null) - 1;
  }

  /** And that object. */
  settle<T extends object>(number: number, object: T): T {
    if (this.#objects !== null) this.#objects[number] = object;
    return object;
  }

  /** Calls what is none of this codec: its errors come out as they are. */
  foreign<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      this.#foreign = error;
      throw error;
    }
  }

  #take(size: number): number {
    const p = this.#p;
    if (p + size > this.#end) throw damaged('it ends too early');
    this.#p = p + size;
    return p;
  }

  #latin1(): string {
    const n = this.u32();
    const p = this.#take(n);
    return this.#bytes.latin1Slice(p, p + n);
  }

  #utf16(): string {
    const n = this.u32();
    this.#p += this.#p & 1;
    const p = this.#take(2 * n);
    return this.#bytes.ucs2Slice(p, p + 2 * n);
  }

  #descend(): void {
    // One more than the writer: an ArrayBuffer is inside its view.
    if (++this.#depth > f.depthLimit + 1) throw damaged('it is too deep');
  }

  #object(): object {
    this.#descend();
    const object = this.#properties(this.#objects === null ? null : this.made({}));
    this.#depth--;
    return object;
  }

  /** Reads properties into an object, or makes it with them. */
  #properties(object: object | null): object {
    const keysAt = this.#p + this.u32();
    const end = this.#end;
    if (keysAt < this.#p || keysAt + 6 > end) throw damaged('an object has its keys elsewhere');
    const hash = this.#view.getInt32(keysAt, true);
    let keysEnd: number;
    let result: object;
    if (hash === 0) {
      const valuesAt = this.#p;
      this.#p = keysAt + 4;
      const keys = this.#keys();
      keysEnd = this.#p;
      this.#p = valuesAt;
      this.#end = keysAt;
      result = this.#assign(object ?? {}, keys, true);
    } else {
      const length = this.#view.getUint16(keysAt + 4, true);
      keysEnd = keysAt + 6 + length;
      if (keysEnd > end) throw damaged('it ends too early');
      const shape = this.#shapes.find(hash, this.#view, keysAt + 6, length);
      if (shape === null) throw damaged('an object has keys that are none');
      this.#end = keysAt;
      result =
        object === null && shape.make !== null
          ? shape.make(this)
          : this.#assign(object ?? {}, shape.used().keys, shape.isInherited);
    }
    if (this.#p !== keysAt) throw damaged('an object has more values than keys');
    this.#p = keysEnd;
    this.#end = end;
    return result;
  }

  #keys(): string[] {
    const count = this.u32();
    const keys: string[] = [];
    for (let i = 0; i < count; i++) keys.push(this.string());
    return keys;
  }

  #assign(object: object, keys: readonly string[], isInherited: boolean): object {
    for (const key of keys) {
      const value = this.value();
      if (isInherited) define(object, key, value);
      else (object as Record<string, unknown>)[key] = value;
    }
    return object;
  }

  #array(into: unknown[] | null): unknown[] {
    this.#descend();
    const n = this.u32();
    const hasRoom = this.#claimRoom(n);
    const array = into ?? this.made(hasRoom && n <= longestAtOnce ? new Array<unknown>(n) : []);
    this.#elementsInto(array, n, hasRoom);
    this.#depth--;
    return array;
  }

  /** Whether there may be memory for so many elements: only if there are bytes for them. */
  #claimRoom(n: number): boolean {
    if (n > this.#room) return false;
    this.#room -= n;
    return true;
  }

  #elementsInto(array: unknown[], n: number, hasRoom: boolean): void {
    for (let i = 0; i < n; i++) {
      if (this.#p < this.#end && this.#bytes[this.#p] === f.tHoles) {
        this.#p++;
        // Without room it becomes a table of its indices, as V8 makes it if it is long enough.
        if (!hasRoom) array.length = 0xffff_ffff;
        array.length = n;
        this.#afterHole(array);
        return;
      }
      array[i] = this.value();
    }
  }

  #afterHole(array: unknown[]): void {
    const count = this.u32();
    for (let i = 0; i < count; i++) {
      const index = this.u32();
      if (index >= array.length) throw damaged('an array has an element beyond its end');
      array[index] = this.value();
    }
  }

  #ints(into: unknown[] | null): unknown[] {
    const n = this.u32();
    const first = this.#takeAligned(n, 4) >>> 2;
    if (into === null && n <= longestAtOnce) return this.made(intsAt(this.#memory.ints, first, n));
    const array = into ?? this.made([]);
    for (let i = 0; i < n; i++) array.push(this.#memory.ints[first + i]);
    return array;
  }

  #doubles(into: unknown[] | null): unknown[] {
    const n = this.u32();
    const first = this.#takeAligned(n, 8) / 8;
    if (into === null && n <= longestAtOnce) return this.made(doublesAt(this.#memory.doubles, first, n));
    const array = into ?? this.made([]);
    for (let i = 0; i < n; i++) array.push(this.#memory.doubles[first + i]);
    return array;
  }

  #takeAligned(n: number, size: number): number {
    this.#take(-this.#p & (size - 1));
    return this.#take(n * size);
  }

  #ref(): object {
    const object = this.#objects?.[this.u32()];
    if (object === undefined || object === null) throw damaged('it refers to an object that is not there');
    return object;
  }

  #rare(tag: number): unknown {
    if ((tag & f.named) !== 0) return this.#anyArray(tag, null);
    this.#descend();
    const value = readRare(this, tag);
    this.#depth--;
    return value;
  }

  #anyArray(tag: number, into: unknown[] | null): unknown[] {
    const form = tag & ~f.named;
    let array: unknown[];
    if (form === f.tArray) array = this.#array(into);
    else if (form === f.tInts) array = this.#ints(into);
    else if (form === f.tDoubles) array = this.#doubles(into);
    else throw damaged('there is no array where one must be');
    if (form === tag) return array;
    const count = this.u32();
    for (let i = 0; i < count; i++) define(array, this.string(), this.value());
    return array;
  }

  #leftForLater(): object {
    const tag = this.u8();
    const object = this.made(tag === f.tObject ? {} : tag === f.tArray ? [] : emptyRare(this, tag));
    this.#later.push({ object, tag });
    return object;
  }

  #fill({ object, tag }: Later): void {
    const found = this.u8();
    if (tag === f.tArray) this.#anyArray(found, object as unknown[]);
    else if (found !== tag) throw damaged('what was left for later is something else');
    else if (tag === f.tObject) this.#properties(object);
    else fillRare(this, object);
  }
}

// One function for each kind of number: V8 makes the array for what this `new Array` has come to hold.
function intsAt(ints: Int32Array, first: number, n: number): number[] {
  const array = new Array<number>(n);
  for (let i = 0; i < n; i++) array[i] = ints[first + i]!;
  return array;
}

function doublesAt(doubles: Float64Array, first: number, n: number): number[] {
  const array = new Array<number>(n);
  for (let i = 0; i < n; i++) array[i] = doubles[first + i]!;
  return array;
}

/** Defines a property, whatever the prototype has under that name: `__proto__` is one like any other. */
function define(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
}
