/**
 * Writes values as format.ts says: here what is met often, in the order of how often; the rest in write-rare.ts.
 *
 * Nothing looks through a value beforehand: where a message does not fit, or cannot be sent, the writer has gone as far as
 * that.
 */
import { types } from 'node:util';
import { MultiprocessingError } from '../errors.js';
import type { Shareable } from '../transfer/handle.js';
import { mayHaveNames } from './array-names.js';
import * as f from './format.js';
import { KeyTrie, notLatin1, type KeyNode } from './key-trie.js';
import type { Bytes, Memory } from './memory.js';
import { Met } from './met.js';
import { cloneError, type Culprit } from './refusal.js';
import { isThenable } from './thenable.js';
import { hiddenElements, writeElements, writeNames } from './write-array.js';
import { checkListed, type Listed } from './write-bytes.js';
import { writeFunction, writeRare } from './write-rare.js';

/** Thrown where a message does not fit, and caught here. One for all: making an error takes longer than most messages. */
const full = new Error('The message does not fit');

const callable: Culprit = {
  at: '.then',
  what: 'a function',
  why: 'who awaits the message would take it for a promise, and call that. Send it under another name',
};

const { isProxy, isArgumentsObject } = types;
const { getPrototypeOf, prototype: objectPrototype } = Object;

export class Writer {
  largeFrom = Infinity;
  readonly shared: Shareable[] = [];
  readonly large: Uint8Array[] = [];
  /** What is in `large`, in its order. */
  readonly listed: Listed[] = [];
  /** The resizable ArrayBuffers in the message, and how long they were. */
  readonly resizables = new Map<ArrayBufferLike, number>();
  /** Why there may be no functions in a message; null: there may. */
  noFunctions: string | null = null;
  hasFunctions = false;
  #memory!: Memory;
  #bytes!: Bytes;
  #view!: DataView;
  #p = 0;
  #end = 0;
  #root: unknown;
  #rootName = '';
  #depth = 0;
  #isGraph = false;
  #hasHidden = false;
  #isBusy = false;
  /** Whether nothing is left of the last message. */
  #isClean = true;
  /** Null until it matters. */
  #inherits: boolean | null = null;
  #later: object[] = [];
  readonly #met = new Met();
  readonly #trie = new KeyTrie();

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Where the message ends, or -1. */
  message(value: unknown, memory: Memory, start: number, end: number, rootName: string): number {
    if (start >= end) return -1;
    if (!this.#isClean) this.#forget();
    this.#isClean = false;
    this.#isBusy = true;
    this.#memory = memory;
    this.#bytes = memory.bytes;
    this.#view = memory.view;
    this.#p = start + 1;
    this.#end = end;
    this.#root = value;
    this.#rootName = rootName;
    this.#inherits = null;
    try {
      this.value(value);
      for (let i = 0; i < this.#later.length; i++) this.#object(this.#later[i]!);
      if (this.listed.length > 0) checkListed(this);
      if (this.hasFunctions && isThenable(value)) throw this.refusal(value, callable);
      this.#bytes[start] = this.#isGraph ? f.graph : f.tree;
      return this.#p;
    } catch (error) {
      if (error === full) return -1;
      if (error !== hiddenElements) throw error;
      this.#forget();
      this.shared.length = this.large.length = 0;
      this.#hasHidden = true;
      return this.message(value, memory, start, end, rootName);
    } finally {
      this.#isBusy = false;
      this.#forget(); // at the end of the stack this may fail: then the next message does it
    }
  }

  #forget(): void {
    this.#root = undefined;
    this.#met.clear();
    if (this.#later.length > 0) this.#later = [];
    this.#depth = 0;
    this.#isGraph = false;
    this.hasFunctions = false;
    this.#hasHidden = false;
    if (this.listed.length > 0) this.listed.length = 0;
    if (this.resizables.size > 0) this.resizables.clear();
    this.#isClean = true;
  }

  value(v: unknown): void {
    if (typeof v === 'number') this.#number(v);
    else if (typeof v === 'string') this.#string(v);
    else if (typeof v === 'object') {
      if (v === null) this.u8(f.tNull);
      else if (!this.isMetAgain(v)) this.#object(v);
    } else if (typeof v === 'boolean') this.u8(v ? f.tTrue : f.tFalse);
    else if (v === undefined) this.u8(f.tUndefined);
    else if (typeof v === 'bigint') this.#bigint(v);
    else if (typeof v === 'function') writeFunction(this, v);
    else throw this.refusal(v);
  }

  u8(n: number): void {
    const p = this.#claim(1);
    this.#bytes[p] = n;
  }

  u32(n: number): void {
    const p = this.#claim(4);
    this.#view.setUint32(p, n, true);
  }

  double(n: number): void {
    const p = this.#claim(8);
    this.#view.setFloat64(p, n, true);
  }

  raw(bytes: Uint8Array): void {
    const p = this.#claim(bytes.length);
    this.#bytes.set(bytes, p);
  }

  /** Room for a u32, which settle() fills. */
  reserve(): number {
    return this.#claim(4);
  }

  settle(at: number, n: number): void {
    this.#view.setUint32(at, n, true);
  }

  /** Says of the array whose tag is there that properties follow its elements. */
  setNamed(tagAt: number): void {
    this.#bytes[tagAt]! |= f.named;
  }

  /** Whether an object was in this message before: then that is said, and there is no more to write. */
  isMetAgain(object: object): boolean {
    const known = this.#met.meet(object);
    if (known < 0) return false;
    this.u8(f.tRef);
    this.u32(known);
    this.#isGraph = true;
    return true;
  }

  /** Writes a container with all that is in it, or only that it is there, if it is too deep to write it now. */
  inside(container: object, tag: number, write: () => void, errorClass?: number): void {
    if (this.#depth === f.depthLimit) {
      this.#leaveForLater(container, tag);
      if (errorClass !== undefined) this.u8(errorClass);
    } else {
      this.#depth++;
      write();
      this.#depth--;
    }
  }

  refusal(value: unknown, culprit: Culprit = {}): MultiprocessingError {
    return cloneError(this.#root, this.#rootName, value, culprit);
  }

  #claim(size: number): number {
    const p = this.#p;
    if (p + size > this.#end) throw full;
    this.#p = p + size;
    return p;
  }

  #number(v: number): void {
    const int = v | 0;
    if (int !== v || (int === 0 && 1 / v < 0)) {
      const p = this.#claim(9);
      this.#bytes[p] = f.tDouble;
      this.#view.setFloat64(p + 1, v, true);
    } else if ((int << 24) >> 24 === int) {
      const p = this.#claim(2);
      this.#bytes[p] = f.tInt8;
      this.#bytes[p + 1] = int;
    } else {
      const p = this.#claim(5);
      this.#bytes[p] = f.tInt32;
      this.#view.setInt32(p + 1, int, true);
    }
  }

  #string(v: string): void {
    const n = v.length;
    const p = this.#p;
    if (n <= f.shortLength) {
      const bytes = this.#bytes;
      if (p + 2 + n > this.#end) throw full;
      let all = 0;
      for (let i = 0; i < n; i++) {
        const unit = v.charCodeAt(i);
        all |= unit;
        bytes[p + 2 + i] = unit;
      }
      if (all < 256) {
        bytes[p] = f.tShort;
        bytes[p + 1] = n;
        this.#p = p + 2 + n;
        return;
      }
    } else if (!notLatin1.test(v)) {
      this.#claim(5 + n);
      this.#bytes[p] = f.tLatin1;
      this.#view.setUint32(p + 1, n, true);
      this.#bytes.latin1Write(v, p + 5, n);
      return;
    }
    const even = (p + 6) & ~1;
    this.#claim(even + 2 * n - p);
    this.#bytes[p] = f.tUtf16;
    this.#view.setUint32(p + 1, n, true);
    this.#bytes.ucs2Write(v, even, 2 * n);
  }

  #bigint(v: bigint): void {
    if (BigInt.asIntN(64, v) === v) {
      const p = this.#claim(9);
      this.#bytes[p] = f.tBigint;
      this.#view.setBigInt64(p + 1, v, true);
    } else {
      this.u8(f.tLongBigint);
      this.u8(v < 0n ? 1 : 0);
      this.#string((v < 0n ? -v : v).toString(16));
    }
  }

  #object(v: object): void {
    if (isProxy(v)) throw this.refusal(v);
    const isArray = Array.isArray(v);
    if (!isArray && getPrototypeOf(v) !== objectPrototype) writeRare(this, v);
    else if (this.#depth === f.depthLimit) this.#leaveForLater(v, isArray ? f.tArray : f.tObject);
    else {
      this.#depth++;
      if (isArray) this.#array(v);
      else if ((this.#inherits ??= inheritsProperties())) this.instance(v);
      else this.#plain(v);
      this.#depth--;
    }
  }

  #leaveForLater(container: object, tag: number): void {
    this.u8(f.tLater);
    this.u8(tag);
    this.#later.push(container);
    this.#isGraph = true;
  }

  #plain(object: object): void {
    const p = this.#claim(5);
    this.#bytes[p] = f.tObject;
    let node = this.#trie.root;
    let more: string[] | null = null;
    // for-in with the property read inside: V8 reads it by its place, whatever the object's shape.
    for (const key in object) {
      if (more !== null) more.push(key);
      else {
        const next = node.nextKey === key ? node.next : this.#trie.step(node, key);
        if (next === null) more = [key];
        else node = next;
      }
      this.value((object as Record<string, unknown>)[key]);
    }
    if (node.maybeArguments && isArgumentsObject(object)) throw this.refusal(object);
    this.#keys(p + 1, node, more);
  }

  /** An object that may inherit properties. */
  instance(object: object): void {
    const p = this.#claim(5);
    this.#bytes[p] = f.tObject;
    let node = this.#trie.root;
    let more: string[] | null = null;
    for (const key of Object.keys(object)) {
      if (!Object.hasOwn(object, key)) continue; // a getter may have deleted it
      if (more !== null) more.push(key);
      else {
        const next = this.#trie.step(node, key);
        if (next === null) more = [key];
        else node = next;
      }
      this.value((object as Record<string, unknown>)[key]);
    }
    this.#keys(p + 1, node, more);
  }

  #keys(distanceAt: number, node: KeyNode, more: string[] | null): void {
    this.#view.setUint32(distanceAt, this.#p - distanceAt, true);
    const block = more === null ? (node.block ?? node.end()) : null;
    if (block !== null) {
      const { words, tail } = block;
      const view = this.#view;
      let p = this.#claim(4 * words.length + tail.length);
      for (let i = 0; i < words.length; i++, p += 4) view.setInt32(p, words[i]!, true);
      for (let i = 0; i < tail.length; i++) this.#bytes[p + i] = tail[i]!;
      return;
    }
    const keys = more === null ? node.keys() : node.keys().concat(more);
    this.u32(0);
    this.u32(keys.length);
    for (const key of keys) this.#string(key);
  }

  #array(array: unknown[]): void {
    const n = array.length;
    const p = this.#p;
    if (n >= f.packedFrom && typeof array[0] === 'number' && !this.#hasHidden && this.#packed(array, n)) {
      if (mayHaveNames(array)) writeNames(this, p, array, n);
      return;
    }
    this.#claim(5);
    this.#bytes[p] = f.tArray;
    this.#view.setUint32(p + 1, n, true);
    let dense = 0;
    if (!this.#hasHidden) {
      for (; dense < n; dense++) {
        const item = array[dense];
        if (item === undefined && !(dense in array)) break;
        this.value(item);
      }
    }
    if (dense < n) {
      this.u8(f.tHoles);
      writeElements(this, array, dense);
    }
    if (dense < n || mayHaveNames(array)) writeNames(this, p, array, dense);
  }

  /** Writes an array of numbers only. False if it is none; nothing has been written then. */
  #packed(array: unknown[], n: number): boolean {
    const p = this.#p;
    const first = (p + 5 + 3) >> 2;
    if ((first + n) * 4 > this.#end) {
      for (let i = 0; i < n; i++) if (typeof array[i] !== 'number') return false;
      throw full;
    }
    const ints = this.#memory.ints;
    let i = 0;
    for (; i < n; i++) {
      const item = array[i];
      if (typeof item !== 'number') return false;
      const int = item | 0;
      if (int !== item || (int === 0 && 1 / item < 0)) break;
      ints[first + i] = int;
    }
    if (i < n) return this.#packedDoubles(array, n, i);
    this.#bytes[p] = f.tInts;
    this.#view.setUint32(p + 1, n, true);
    this.#p = (first + n) * 4;
    return true;
  }

  #packedDoubles(array: unknown[], n: number, from: number): boolean {
    for (let i = from; i < n; i++) if (typeof array[i] !== 'number') return false;
    const p = this.#p;
    const first = (p + 5 + 7) >> 3;
    if ((first + n) * 8 > this.#end) throw full;
    this.#memory.doubles.set(array as number[], first);
    this.#bytes[p] = f.tDoubles;
    this.#view.setUint32(p + 1, n, true);
    this.#p = (first + n) * 8;
    return true;
  }
}

/** Whether objects seem to have properties that are not theirs: somebody has put enumerable ones on their prototype. */
function inheritsProperties(): boolean {
  let count = 0;
  for (const key in objectPrototype) count += key.length + 1;
  return count > 0;
}
