/**
 * The slots of the arena as JavaScript reaches them, and the compare-and-swap of the lock's fast path.
 *
 * JavaScript's Atomics are calls of a built-in, 9 ns each. WebAssembly's are single instructions, and V8 inlines the call:
 * 3.5 ns. So the slots are mapped over the pages of a WebAssembly memory (not a shared one: its instructions are the
 * same, and a plain ArrayBuffer is faster in everything else). Where that cannot be (no WebAssembly, no 10 GiB of address
 * space for V8's guard pages) an external ArrayBuffer and Atomics do the same.
 */
import { native } from '../native/load.js';
import { onWindows } from '../native/system.js';

/** Replaces the word at a byte offset if it is `expected`; returns what was there. Sequentially consistent. */
export type CompareExchange = (offset: number, expected: number, replacement: number) => number;

export interface SlotMemory {
  readonly buffer: ArrayBuffer;
  readonly cas: CompareExchange;
}

const pageBytes = 65536;

/** Maps the slots of this process's arena into this environment. */
export function mapSlots(): SlotMemory {
  return wasmSlots() ?? externalSlots();
}

function wasmSlots(): SlotMemory | null {
  if (onWindows) return null; // no view of a section can take the place of other pages
  const pages = native.layout.slotsBytes / pageBytes;
  try {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    native.mapSlots(memory.buffer);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes(pages)), {
      a: { m: memory },
    });
    return { buffer: memory.buffer, cas: instance.exports['cas'] as CompareExchange };
  } catch {
    return null; // whatever is missing here: the other way needs none of it, and reports its own failure
  }
}

function externalSlots(): SlotMemory {
  const buffer = native.slots();
  const words = new Int32Array(buffer);
  return {
    buffer,
    cas: (offset, expected, replacement) =>
      Atomics.compareExchange(words, offset >> 2, expected, replacement),
  };
}

/**
 * ```wat
 * (module (import "a" "m" (memory PAGES PAGES))
 *   (func (export "cas") (param i32 i32 i32) (result i32)
 *     (i32.atomic.rmw.cmpxchg (local.get 0) (local.get 1) (local.get 2))))
 * ```
 */
function moduleBytes(pages: number): Uint8Array<ArrayBuffer> {
  const limits = [1, ...leb128(pages), ...leb128(pages)];
  const body = [0, 0x20, 0, 0x20, 1, 0x20, 2, 0xfe, 0x48, 2, 0, 0x0b];
  return new Uint8Array([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 3, 0x7f, 0x7f, 0x7f, 1, 0x7f]), // types
    ...section(2, [1, 1, 0x61, 1, 0x6d, 2, ...limits]), // imports: memory a.m
    ...section(3, [1, 0]), // functions
    ...section(7, [1, 3, 0x63, 0x61, 0x73, 0, 0]), // exports: cas
    ...section(10, [1, body.length, ...body]), // code
  ]);
}

function section(id: number, content: number[]): number[] {
  return [id, ...leb128(content.length), ...content];
}

function leb128(value: number): number[] {
  const bytes = [];
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return [...bytes, value];
}
