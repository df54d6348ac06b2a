/**
 * Shapes: the key blocks of messages, and how objects with such keys are made. One that comes often gets a function of its
 * own, which makes the object with all its properties at once; where code generation is forbidden, there is none.
 */
import { hashOf } from './format.js';

export interface ValueSource {
  value(): unknown;
}
type Make = (from: ValueSource) => object;

/** What may stand in generated code: letters, digits, _ and $. (A regular expression needs stack to be compiled.) */
function isPlainName(key: string): boolean {
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i);
    const isLetter = (unit >= 65 && unit <= 90) || (unit >= 97 && unit <= 122) || unit === 95 || unit === 36;
    if (!isLetter && !(i > 0 && unit >= 48 && unit <= 57)) return false;
  }
  return key !== '' && key !== '__proto__';
}

/** Compiling takes longer than making this many objects. */
const oftenFrom = 16;
const shapeLimit = 1024;

export class Shape {
  readonly keys: readonly string[];
  /** Whether assigning to one of the keys may do something else than making a property, as `__proto__` does. */
  readonly isInherited: boolean;
  readonly #words: readonly number[];
  readonly #tail: Uint8Array;
  readonly #canCompile: boolean;
  #uses = 0;
  make: Make | null = null;

  constructor(block: Uint8Array, keys: readonly string[]) {
    const view = new DataView(block.buffer, block.byteOffset, block.length);
    this.#words = Array.from({ length: block.length >> 2 }, (_, i) => view.getInt32(4 * i, true));
    this.#tail = block.subarray(4 * this.#words.length);
    this.keys = keys;
    this.isInherited = keys.some((key) => key in Object.prototype);
    this.#canCompile = keys.length > 0 && new Set(keys).size === keys.length && keys.every(isPlainName);
  }

  isOf(view: DataView, at: number, length: number): boolean {
    const words = this.#words;
    const tail = this.#tail;
    if (4 * words.length + tail.length !== length) return false;
    let p = at;
    for (let i = 0; i < words.length; i++, p += 4) if (view.getInt32(p, true) !== words[i]) return false;
    for (let i = 0; i < tail.length; i++) if (view.getUint8(p + i) !== tail[i]) return false;
    return true;
  }

  /** Counts: when it has come often, there is a function to make its objects. */
  used(): this {
    if (++this.#uses === oftenFrom && this.#canCompile) this.make = compile(this.keys);
    return this;
  }
}

export class Shapes {
  readonly #byHash = new Map<number, Shape>();

  /** The shape of the key block at [at, at + length). */
  find(hash: number, view: DataView, at: number, length: number): Shape | null {
    const known = this.#byHash.get(hash);
    if (known?.isOf(view, at, length) === true) return known;
    const block = new Uint8Array(view.buffer, view.byteOffset + at, length).slice();
    const keys = keysOf(block);
    if (keys === null) return null;
    const shape = new Shape(block, keys);
    // A wrong hash, or another block's, must not keep a real one out.
    if (known === undefined && hashOf(block, 0, length) === hash) {
      if (this.#byHash.size === shapeLimit) this.#byHash.clear();
      this.#byHash.set(hash, shape);
    }
    return shape;
  }
}

function keysOf(block: Uint8Array): string[] | null {
  const keys: string[] = [];
  for (let at = 0; at < block.length;) {
    const end = at + 1 + block[at]!;
    if (end > block.length) return null;
    keys.push(Buffer.from(block.buffer, block.byteOffset + at + 1, end - at - 1).toString('latin1'));
    at = end;
  }
  return keys;
}

let mayCompile = true;

function compile(keys: readonly string[]): Make | null {
  if (!mayCompile) return null;
  try {
    const properties = keys.map((key) => `${JSON.stringify(key)}: from.value()`);
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- of plain names only
    return new Function('from', `return { ${properties.join(', ')} };`) as Make;
  } catch (error) {
    if (!(error instanceof EvalError)) throw error;
    mayCompile = false; // it is forbidden here
    return null;
  }
}
