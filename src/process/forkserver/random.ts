/**
 * Random numbers in forked processes. Whatever was drawn in advance before a fork would be handed out by every sibling:
 *
 *   Math.random                    V8's state and 64 values lie in the heap: replaced by a generator that can be seeded
 *   crypto.randomUUID, randomInt   serve from blocks of random bytes: these are found once, by the inspector, which sees the
 *                                  variables of Node's own functions, and filled anew
 *
 * OpenSSL's own generator notices a fork by itself.
 */
import { randomInt, randomUUID } from 'node:crypto';
import { native } from '../../native/load.js';
import { visibleVariables } from '../../transfer/inspector.js';

/** What Node's own module calls its blocks, which are views of bytes. */
const blockNames: ReadonlySet<string> = new Set(['uuidData', 'randomCache']);
/** How many UUIDs and integers one holds. */
const held = { uuids: 128, ints: 1024 };

const state = new Uint32Array(4);
let blocks: ArrayBufferView[] | null = null;

/** In the server, before anything of the program's can take a reference to Math.random. */
export function replaceRandom(): void {
  native.randomBytes(state);
  const random = (): number => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53;
  Math.random = random;
}

/** In the server, before it forks. */
export function findBlocks(): void {
  // Blocks that nobody has drawn from are not there yet.
  randomUUID();
  randomInt(2);
  const found = [...visibleVariables(randomInt, blockNames).values()];
  // Another Node may do it in another way; then the blocks are used up instead, which takes milliseconds.
  blocks =
    found.length === blockNames.size && found.every((block) => ArrayBuffer.isView(block)) ? found : null;
}

/** In a child, before anything is drawn. */
export function drawAnew(): void {
  native.randomBytes(state);
  if (blocks !== null) {
    for (const block of blocks) native.randomBytes(block);
    return;
  }
  for (let i = 0; i < held.uuids; i++) randomUUID();
  for (let i = 0; i < held.ints; i++) randomInt(2);
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
