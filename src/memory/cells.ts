/**
 * Reading and writing one cell of shared memory.
 *
 * Aligned cells are never torn. On x64 a plain access has acquire and release order already, and V8 neither keeps nor
 * drops accesses to typed arrays; elsewhere Atomics give the order (7 ns instead of 1). Each kind of cell has an access
 * of its own below, so that V8 sees one kind of array at each: one access for all kinds is ten times slower.
 */
import type { Cells, ElementType } from './types.js';

const ordered = process.arch === 'x64';

export function loadCell(type: ElementType, cells: Cells, index: number): number | bigint {
  if (!ordered && type.atomic !== false) return Atomics.load(cells as Int32Array, index);
  switch (type.cells) {
    case Int32Array:
      return (cells as Int32Array)[index]!;
    case Float64Array:
      return (cells as Float64Array)[index]!;
    case BigInt64Array:
      return (cells as BigInt64Array)[index]!;
    case Uint32Array:
      return (cells as Uint32Array)[index]!;
    case Uint8Array:
      return (cells as Uint8Array)[index]!;
    case BigUint64Array:
      return (cells as BigUint64Array)[index]!;
    default:
      return cells[index]!;
  }
}

export function storeCell(type: ElementType, cells: Cells, index: number, cell: number | bigint): void {
  if (!ordered && type.atomic !== false) {
    Atomics.store(cells as Int32Array, index, cell as number);
    return;
  }
  switch (type.cells) {
    case Int32Array:
      (cells as Int32Array)[index] = cell as number;
      return;
    case Float64Array:
      (cells as Float64Array)[index] = cell as number;
      return;
    case BigInt64Array:
      (cells as BigInt64Array)[index] = cell as bigint;
      return;
    case Uint32Array:
      (cells as Uint32Array)[index] = cell as number;
      return;
    case Uint8Array:
      (cells as Uint8Array)[index] = cell as number;
      return;
    case BigUint64Array:
      (cells as BigUint64Array)[index] = cell as bigint;
      return;
    default:
      cells[index] = cell;
  }
}
