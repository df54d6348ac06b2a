/**
 * Random numbers in forked processes. Whatever was drawn in advance before a fork would be handed out by every sibling:
 *
 *   Math.random                    V8's state and 64 values lie in the heap: replaced by a generator that can be seeded
 *   crypto.randomUUID, randomInt   serve from blocks of random bytes: these are found once, and filled anew
 *
 * OpenSSL's own generator notices a fork by itself.
 */
import { randomInt, randomUUID } from 'node:crypto';
import { native } from '../../native/load.js';

/** How many each block holds, and its size in bytes. */
const uuids = { count: 128, bytes: 2048 };
const ints = { count: 1024, bytes: 6144 };

const state = new Uint32Array(4);
let blocks: (ArrayBufferView | ArrayBuffer)[] | null = null;

/** In the server, before anything of the program's can take a reference to Math.random. */
export function replaceRandom(): void {
  native.randomBytes(state);
  const random = (): number => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53;
  Math.random = random;
}

/** In the server, before it forks. */
export function findBlocks(): void {
  const found = new Set<ArrayBufferView | ArrayBuffer>();
  const watchLengths = (size: number): (() => void)[] =>
    [Object.getPrototypeOf(Uint8Array.prototype) as object, ArrayBuffer.prototype].map((prototype) =>
      patch(prototype, 'byteLength', (was) => ({
        get(this: ArrayBuffer) {
          const length = (was.get as (this: ArrayBuffer) => number).call(this);
          if (length === size) found.add(this);
          return length;
        },
      })),
    );
  watching(watchLengths(uuids.bytes), () => {
    for (let i = 0; i < uuids.count; i++) randomUUID();
  });
  const first = found.size;
  const watchReads = patch(Buffer.prototype as object, 'readUIntBE', ({ value }) => ({
    value(this: Buffer, ...args: unknown[]) {
      if (this.length === ints.bytes) found.add(this);
      return (value as (...a: unknown[]) => number).apply(this, args);
    },
  }));
  watching([watchReads], () => randomInt(2));
  // Another Node may do it in another way; then the blocks are used up instead, which takes milliseconds.
  blocks = first === 1 && found.size === 2 ? [...found] : null;
}

/** In a child, before anything is drawn. */
export function drawAnew(): void {
  native.randomBytes(state);
  if (blocks !== null) {
    for (const block of blocks) native.randomBytes(block);
    return;
  }
  for (let i = 0; i < uuids.count; i++) randomUUID();
  for (let i = 0; i < ints.count; i++) randomInt(2);
}

/** xoshiro128**, by Blackman and Vigna (public domain). */
function next(): number {
  const b = state[1]!;
  let result = Math.imul(b, 5);
  result = Math.imul((result << 7) | (result >>> 25), 9);
  state[2]! ^= state[0]!;
  state[3]! ^= b;
  state[1] = b ^ state[2]!;
  state[0]! ^= state[3]!;
  state[2]! ^= b << 9;
  state[3] = (state[3]! << 11) | (state[3]! >>> 21);
  return result >>> 0;
}

function patch(
  target: object,
  key: string,
  change: (was: PropertyDescriptor) => PropertyDescriptor,
): () => void {
  const was = Object.getOwnPropertyDescriptor(target, key)!;
  Object.defineProperty(target, key, { ...was, ...change(was) });
  return () => Object.defineProperty(target, key, was);
}

function watching(undo: (() => void)[], body: () => void): void {
  try {
    body();
  } finally {
    for (const restore of undo) restore();
  }
}
