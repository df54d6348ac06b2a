/** Writing what holds bytes: Buffers, ArrayBuffers and the views of them. */
import { types } from 'node:util';
import * as f from './format.js';
import { followsLength, isOutOfBounds, isResizable } from './resizable.js';
import type { Writer } from './writer.js';

/** Exactly its bytes: the pool it may lie in holds other people's. */
export function writeBuffer(to: Writer, buffer: Buffer): void {
  checkBuffer(to, buffer.buffer, buffer);
  writeBytes(to, buffer, f.tBuffer, f.tLargeBuffer);
}

export function writeArrayBuffer(to: Writer, buffer: ArrayBuffer, holder: object = buffer): void {
  checkBuffer(to, buffer, holder);
  if (isResizable(buffer)) {
    if (++to.resizables > f.resizableLimit)
      throw to.refusal(buffer, { holder, what: 'one resizable ArrayBuffer too many' });
    to.u8(f.tResizable);
    to.double(buffer.maxByteLength);
  }
  writeBytes(to, new Uint8Array(buffer), f.tArrayBuffer, f.tLargeArrayBuffer);
}

/** With its whole ArrayBuffer, which other views in the same message may share. */
export function writeView(to: Writer, view: ArrayBufferView): void {
  const { buffer } = view;
  checkBuffer(to, buffer, view);
  if (isOutOfBounds(view))
    throw to.refusal(view, { what: 'a view of bytes that its ArrayBuffer no longer has' });
  const name = types.isTypedArray(view) ? view[Symbol.toStringTag] : 'DataView';
  const kind = (f.viewNames as readonly string[]).indexOf(name);
  if (kind < 0) throw to.refusal(view);
  to.u8(f.tView);
  to.u8(kind);
  to.u8(isResizable(buffer) && followsLength(view) ? 1 : 0);
  to.double(view.byteOffset);
  to.double('length' in view ? (view as Uint8Array).length : view.byteLength);
  if (!to.isMetAgain(buffer)) writeArrayBuffer(to, buffer as ArrayBuffer, view);
}

function writeBytes(to: Writer, bytes: Uint8Array, tag: number, largeTag: number): void {
  if (bytes.length >= to.largeFrom) {
    to.u8(largeTag);
    to.u32(to.large.push(bytes) - 1);
    to.double(bytes.length);
  } else {
    to.u8(tag);
    to.u32(bytes.length);
    to.raw(bytes);
  }
}

function checkBuffer(to: Writer, buffer: ArrayBufferLike, holder: object): void {
  if (types.isSharedArrayBuffer(buffer)) throw to.refusal(buffer, { holder });
  if (buffer.byteLength === 0 && isDetached(buffer))
    throw to.refusal(buffer, { holder, what: 'a detached ArrayBuffer' });
}

function isDetached(buffer: ArrayBufferLike): boolean {
  try {
    new Uint8Array(buffer);
    return false;
  } catch (error) {
    if (error instanceof TypeError) return true;
    throw error;
  }
}
