/** Shapes: the lengths of an array's dimensions, the last one running fastest (C order). */
import { rangeError, show, typeError } from '../native/arguments.js';
import { bytesMax } from './segment.js';

/** native/core/segment.h's kRankMax. */
const rankMax = 16;

/** Checks a shape, or the length of a one-dimensional array, before anything is made. */
export function parseShape(given: unknown, elementBytes: number, what: string): number[] {
  let lengths: unknown[];
  if (typeof given === 'number') lengths = [given];
  else if (Array.isArray(given) || ArrayBuffer.isView(given)) lengths = [...(given as Iterable<unknown>)];
  else
    throw typeError(`${what}: the shape must be an array of lengths, such as [480, 640], not ${show(given)}`);
  if (lengths.length === 0)
    throw rangeError(`${what}: the shape has no dimension; give [1] for a single element`);
  if (lengths.length > rankMax) {
    throw rangeError(`${what}: the shape has ${lengths.length} dimensions; at most ${rankMax} are possible`);
  }
  let bytes = elementBytes;
  const shape = lengths.map((length, i) => {
    if (typeof length !== 'number')
      throw typeError(`${what}: shape[${i}] must be a number, not ${show(length)}`);
    if (!Number.isSafeInteger(length) || length < 1) {
      throw rangeError(`${what}: shape[${i}] must be an integer from 1, not ${length}`);
    }
    bytes *= length;
    return length;
  });
  if (bytes > bytesMax) {
    throw rangeError(
      `${what}: [${shape.join(', ')}] takes ${bytes} bytes; a buffer of this Node.js holds ${bytesMax}`,
    );
  }
  return shape;
}

export function product(lengths: readonly number[]): number {
  return lengths.reduce((a, b) => a * b, 1);
}

/** How many elements lie between neighbours along each dimension. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= shape[i]!;
  }
  return strides;
}

/** The element that leading indices lead to. Negative ones count from the end, as in Array.prototype.at. */
export function offsetOf(
  indices: readonly number[],
  shape: readonly number[],
  strides: readonly number[],
  what: string,
): number {
  if (indices.length > shape.length) {
    throw rangeError(`${what}: ${indices.length} indices for ${shape.length} dimensions`);
  }
  let offset = 0;
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i]!;
    const length = shape[i]!;
    if (!Number.isInteger(index)) {
      const text = `${what}: index ${i} must be an integer, not ${show(index)}`;
      throw typeof index === 'number' ? rangeError(text) : typeError(text);
    }
    const at = index < 0 ? index + length : index;
    if (at < 0 || at >= length) {
      throw rangeError(`${what}: index ${i} is ${index}, but that dimension has ${length} elements`);
    }
    offset += at * strides[i]!;
  }
  return offset;
}

/** What is left of a shape behind leading indices; one element still is an array. */
export function restOf(shape: readonly number[], indices: readonly number[]): readonly number[] {
  return indices.length < shape.length ? shape.slice(indices.length) : [1];
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, i) => length === b[i]);
}
