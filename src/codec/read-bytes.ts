/** Reading what holds bytes: Buffers, ArrayBuffers and the views of them. */
import { damaged } from './failures.js';
import * as f from './format.js';
import type { Reader } from './reader.js';
import { newResizable } from './resizable.js';

type ViewType = new (buffer: ArrayBuffer, offset: number, length?: number) => ArrayBufferView;

export function readBuffer(from: Reader, tag: number): Buffer {
  return from.made(
    tag === f.tBuffer ? from.buffer(from.u32()) : Buffer.from(readBytes(from, f.tLargeArrayBuffer)),
  );
}

export function readArrayBuffer(from: Reader, tag: number): ArrayBuffer {
  return from.made(tag === f.tResizable ? readResizable(from) : readBytes(from, tag));
}

export function readView(from: Reader): ArrayBufferView {
  const number = from.reserve();
  const name = f.viewNames[from.u8()];
  const type = name && (globalThis as unknown as Record<string, ViewType | undefined>)[name];
  if (type === undefined) throw damaged('a typed array has a kind that is none here');
  const followsLength = from.u8() !== 0;
  const offset = from.double();
  const length = from.double();
  const buffer = from.value();
  if (!(buffer instanceof ArrayBuffer)) throw damaged('a view has no ArrayBuffer');
  return from.settle(number, followsLength ? new type(buffer, offset) : new type(buffer, offset, length));
}

function readBytes(from: Reader, tag: number): ArrayBuffer {
  const index = from.u32();
  if (tag === f.tArrayBuffer) return from.copy(index);
  if (tag !== f.tLargeArrayBuffer) throw damaged('there are no bytes where they must be');
  const length = from.double();
  const buffer = from.around.large[index];
  if (buffer?.byteLength !== length) throw damaged('it refers to bytes beside it that are not there');
  return buffer;
}

function readResizable(from: Reader): ArrayBuffer {
  const maximum = from.double();
  const bytes = readBytes(from, from.u8());
  if (++from.resizables > f.resizableLimit) throw damaged('it has too many resizable ArrayBuffers');
  const buffer = newResizable(bytes.byteLength, maximum);
  new Uint8Array(buffer).set(new Uint8Array(bytes));
  return buffer;
}
