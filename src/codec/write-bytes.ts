/** Writing what holds bytes: Buffers, ArrayBuffers and the views of them. */
import { types } from 'node:util';
import * as f from './format.js';
import { followsLength, isOutOfBounds, isResizable } from './resizable.js';
import type { Writer } from './writer.js';

/** Bytes that are not in the message but beside it, where they are copied when all of it is written. */
export interface Listed {
  /** What a walk through the value meets of them. */
  holder: object;
  length: number;
}

/** Exactly its bytes: the pool it may lie in holds other people's. */
export function writeBuffer(to: Writer, buffer: Buffer): void {
  checkBuffer(to, buffer.buffer, buffer);
  writeBytes(to, buffer, buffer, f.tBuffer, f.tLargeBuffer);
}

export function writeArrayBuffer(to: Writer, buffer: ArrayBuffer, holder: object = buffer): void {
  checkBuffer(to, buffer, holder);
  if (isResizable(buffer)) {
    if (to.resizables.set(buffer, buffer.byteLength).size > f.resizableLimit)
      throw to.refusal(buffer, { holder, what: 'one resizable ArrayBuffer too many' });
    to.u8(f.tResizable);
    to.double(buffer.maxByteLength);
  }
  writeBytes(to, new Uint8Array(buffer), holder, f.tArrayBuffer, f.tLargeArrayBuffer);
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
  else if ((to.resizables.get(buffer) ?? buffer.byteLength) !== buffer.byteLength) throw changed(to, view);
}

/** Getters may have changed what was listed. */
export function checkListed(to: Writer): void {
  to.listed.forEach(({ holder, length }, i) => {
    if (to.large[i]!.length !== length) throw changed(to, holder);
  });
}

function changed(to: Writer, holder: object): Error {
  return to.refusal(holder, {
    what: 'of another length than it was when it was first looked at',
    why: 'a getter of what is being sent has detached, resized or released it',
  });
}

function writeBytes(to: Writer, bytes: Uint8Array, holder: object, tag: number, largeTag: number): void {
  if (bytes.length >= to.largeFrom) {
    to.u8(largeTag);
    to.listed.push({ holder, length: bytes.length });
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
