/** SharedArrays by name: creating and opening ask for them here; which there are, and taking one away. */
import { MultiprocessingError } from '../errors.js';
import { show } from '../native/arguments.js';
import { native } from '../native/load.js';
import { SegmentKind } from '../native/segment-binding.js';
import { type ArraySpec, parseCreateOptions } from './create-array.js';
import { orSegmentFailure, requestFor, Segment } from './segment.js';
import { parseName } from './segment-name.js';
import { parseShape } from './shape.js';
import { elementType, type TypeName, typeOfNumber } from './types.js';

/** In front of names in shared memory. */
export const arrayPrefix = 'multiproc.array.';

export interface SharedArrayFacts {
  name: string;
  shape: number[];
  dtype: TypeName;
  /** Bytes of data. */
  size: number;
}

function isOptions(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

/** What create() was asked for, checked before anything is made. */
export function parseArraySpec(
  name: unknown,
  shape: unknown,
  dtype: unknown,
  options: unknown,
  what: string,
): ArraySpec {
  const place = parseName(name, arrayPrefix, what);
  const type = elementType(dtype === undefined || isOptions(dtype) ? 'float64' : dtype, what);
  return {
    place,
    shape: parseShape(shape, type.cells.BYTES_PER_ELEMENT, what),
    type,
    options: parseCreateOptions(isOptions(dtype) ? dtype : options, what),
    what,
  };
}

export function openArray(name: unknown, readOnly: boolean, what: string): Segment {
  const place = parseName(name, arrayPrefix, what);
  return Segment.openOrFail(place, requestFor(place, SegmentKind.array, readOnly), 'SharedArray', what);
}

export function deleteArray(name: unknown): void {
  const what = `SharedArray.delete(${show(name)})`;
  const place = parseName(name, arrayPrefix, what);
  orSegmentFailure(what, () => {
    if (!place.isPath) {
      native.unlinkSegment(place.name, false);
      return;
    }
    const { problem, device, inode } = native.inspectSegment(requestFor(place, SegmentKind.array));
    if (problem === 'not_ours' || problem === 'too_short' || problem === 'other_kind') {
      throw new MultiprocessingError(
        'ERR_MP_DAMAGED',
        `${what}: the file is not a SharedArray; remove it yourself`,
      );
    }
    native.unlinkSegment(place.name, true, device, inode);
  });
}

export function listArrays(): SharedArrayFacts[] {
  const names = orSegmentFailure('SharedArray.list()', () => native.listSegments());
  return names
    .filter((name) => name.startsWith(arrayPrefix))
    .sort()
    .flatMap((name) => {
      const label = name.slice(arrayPrefix.length);
      try {
        const found = native.inspectSegment(requestFor({ label, name, isPath: false }, SegmentKind.array));
        if (found.problem !== '') return [];
        const { shape, size } = found;
        const dtype = typeOfNumber(found.elementType)?.name;
        return dtype === undefined ? [] : [{ name: label, shape, dtype, size }];
      } catch {
        return []; // deleted meanwhile, or another user's
      }
    });
}
