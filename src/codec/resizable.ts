/** Resizable ArrayBuffers, and what a view of one does not tell about itself. */
import { types } from 'node:util';

export interface ResizableBuffer extends ArrayBuffer {
  readonly resizable: true;
  readonly maxByteLength: number;
  resize(byteLength: number): void;
}

export function isResizable(buffer: object): buffer is ResizableBuffer {
  return (buffer as { resizable?: boolean }).resizable === true;
}

export function newResizable(byteLength: number, maxByteLength: number): ResizableBuffer {
  const type = ArrayBuffer as unknown as new (n: number, options: object) => ResizableBuffer;
  return new type(byteLength, { maxByteLength });
}

/** Whether the buffer has shrunk so far that the view's bytes are gone. */
export function isOutOfBounds(view: ArrayBufferView): boolean {
  if (!isResizable(view.buffer)) return false;
  try {
    if (types.isTypedArray(view)) view.at(0);
    else return view.byteLength < 0;
    return false;
  } catch (error) {
    if (error instanceof TypeError) return true;
    throw error;
  }
}

/** Whether a view's length follows that of its buffer: only a copy whose buffer gets another length shows it. */
export function followsLength(view: ArrayBufferView): boolean {
  const copy = structuredClone(view);
  const buffer = copy.buffer as ResizableBuffer;
  const { byteLength, byteOffset } = copy;
  const canGrow = buffer.byteLength < buffer.maxByteLength;
  buffer.resize(canGrow ? buffer.maxByteLength : Math.max(byteOffset, buffer.byteLength - 1));
  // Out of bounds, a fixed view is no longer at its offset.
  return !isOutOfBounds(copy) && copy.byteLength !== byteLength;
}
