/**
 * Finds the key block of an object from its keys, one step per key. Most objects of a program have few different lists of
 * keys, so nearly every step is one comparison of pointers.
 */
import { hashOf } from './format.js';

export class KeyNode {
  readonly key: string | null;
  readonly parent: KeyNode | null;
  readonly depth: number;
  /** Whether an `arguments` object could have these keys. Its prototype does not tell it. */
  readonly maybeArguments: boolean;
  /** The step taken last. */
  nextKey: string | null = null;
  next: KeyNode | null = null;
  more: Map<string, KeyNode> | null = null;
  /** Made when an object ends here for the second time: objects used as dictionaries hardly do. */
  block: KeyBlock | null = null;
  #hasEnded = false;

  constructor(key: string | null, parent: KeyNode | null) {
    this.key = key;
    this.parent = parent;
    this.depth = parent === null ? 0 : parent.depth + 1;
    this.maybeArguments = parent === null || (parent.parent === null ? key === '0' : parent.maybeArguments);
  }

  /** The key block of an object that ends here, or null if its keys should be written out. */
  end(): KeyBlock | null {
    if (this.#hasEnded) this.block = keyBlock(this.keys());
    this.#hasEnded = true;
    return this.block;
  }

  /** All keys up to here. */
  keys(): string[] {
    const keys: string[] = [];
    for (let node = this as KeyNode; node.parent !== null; node = node.parent) keys.unshift(node.key!);
    return keys;
  }
}

const longestKey = 64;
const mostKeys = 64;
/** Objects used as dictionaries have no end of keys: when so many nodes are there, all begins anew. */
const nodeLimit = 4096;

export class KeyTrie {
  root = new KeyNode(null, null);
  #nodes = 0;

  /** The node for one more key than `node`, or null if its keys should be written out. */
  step(node: KeyNode, key: string): KeyNode | null {
    const known = node.more?.get(key);
    const next = known ?? this.#grow(node, key);
    if (next === null) return null;
    node.nextKey = key;
    node.next = next;
    return next;
  }

  #grow(node: KeyNode, key: string): KeyNode | null {
    if (node.depth === mostKeys || key.length > longestKey || notLatin1.test(key)) return null;
    if (++this.#nodes > nodeLimit) {
      this.root = new KeyNode(null, null); // whoever walks the old one may end its walk
      this.#nodes = 0;
    }
    const next = new KeyNode(key, node);
    (node.more ??= new Map()).set(key, next);
    return next;
  }
}

// V8 knows of one-byte strings that this cannot match: it does not look at them.
export const notLatin1 = /[^\0-\xff]/;

/** What messages have at the end of an object, in words because that is how it is written fastest. */
interface KeyBlock {
  words: readonly number[];
  tail: readonly number[];
}

function keyBlock(keys: readonly string[]): KeyBlock {
  const size = keys.reduce((sum, key) => sum + 1 + key.length, 0);
  const block = Buffer.alloc(6 + size);
  let at = 6;
  for (const key of keys) {
    block[at++] = key.length;
    at += block.write(key, at, 'latin1');
  }
  block.writeInt32LE(hashOf(block, 6, at), 0);
  block.writeUInt16LE(size, 4);
  const words = Array.from({ length: at >> 2 }, (_, i) => block.readInt32LE(4 * i));
  return { words, tail: [...block.subarray(4 * words.length)] };
}
