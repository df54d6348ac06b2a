/** What a new Array is made of: a length, or values, all checked before anything is made. */
import { rangeError, show, typeError } from '../native/arguments.js';
import { bytesMax } from './segment.js';
import type { Cells, ElementType } from './types.js';

type MakeCells = new (from: number | ArrayLike<unknown>) => Cells;

export interface Initial {
  readonly length: number;
  /** Undefined: all zero. */
  readonly cells: Cells | undefined;
}

export function parseInitial(type: ElementType, init: unknown, what: string): Initial {
  if (typeof init === 'number') {
    const most = Math.floor(bytesMax / type.cells.BYTES_PER_ELEMENT);
    if (!Number.isInteger(init) || init < 0 || init > most) {
      throw rangeError(`${what}: the length must be an integer from 0 to ${most}, not ${init}`);
    }
    return { length: init, cells: undefined };
  }
  const cells = cellsOf(type, init, what);
  return { length: cells.length, cells };
}

function cellsOf(type: ElementType, init: unknown, what: string): Cells {
  const make = type.cells as unknown as MakeCells;
  if (typeof init === 'string' && type.code === 'c') return Buffer.from(init);
  if (typeof init === 'string' && type.code === 'u') {
    return new Uint16Array(Array.from({ length: init.length }, (_, i) => init.charCodeAt(i)));
  }
  const iterable = init as Partial<Iterable<unknown>> | null | undefined;
  if (typeof init === 'string' || typeof iterable?.[Symbol.iterator] !== 'function') {
    throw typeError(`${what}: takes a length or an iterable of values, not ${show(init)}`);
  }
  // The same cells fit as they are; true and false are kept apart from other bytes.
  if (init instanceof type.cells && type.code !== '?') return init;
  const values = Array.isArray(init) ? (init as unknown[]) : Array.from(iterable as Iterable<unknown>);
  const cells = new make(values.length);
  const array = init instanceof type.cells; // of an Array('?'): 0 and 1
  for (let i = 0; i < values.length; i++) {
    const value = array && (values[i] === 0 || values[i] === 1) ? values[i] === 1 : values[i];
    try {
      cells[i] = type.toCell(value, what);
    } catch {
      type.toCell(value, `${what}: item ${i}`); // again, to say which
    }
  }
  return cells;
}
