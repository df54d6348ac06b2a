/** The typed array of each element type. */
import type { BigCode, Cells, TypeCode, TypeName } from './types.js';

interface CellsByKey {
  b: Int8Array<ArrayBuffer>;
  B: Uint8Array<ArrayBuffer>;
  h: Int16Array<ArrayBuffer>;
  H: Uint16Array<ArrayBuffer>;
  i: Int32Array<ArrayBuffer>;
  I: Uint32Array<ArrayBuffer>;
  q: BigInt64Array<ArrayBuffer>;
  Q: BigUint64Array<ArrayBuffer>;
  l: BigInt64Array<ArrayBuffer>;
  L: BigUint64Array<ArrayBuffer>;
  f: Float32Array<ArrayBuffer>;
  d: Float64Array<ArrayBuffer>;
  '?': Uint8Array<ArrayBuffer>;
  c: Uint8Array<ArrayBuffer>;
  u: Uint16Array<ArrayBuffer>;
  int8: Int8Array<ArrayBuffer>;
  uint8: Uint8Array<ArrayBuffer>;
  int16: Int16Array<ArrayBuffer>;
  uint16: Uint16Array<ArrayBuffer>;
  int32: Int32Array<ArrayBuffer>;
  uint32: Uint32Array<ArrayBuffer>;
  bigint64: BigInt64Array<ArrayBuffer>;
  biguint64: BigUint64Array<ArrayBuffer>;
  float32: Float32Array<ArrayBuffer>;
  float64: Float64Array<ArrayBuffer>;
  bool: Uint8Array<ArrayBuffer>;
  bytes: Uint8Array<ArrayBuffer>;
  utf16: Uint16Array<ArrayBuffer>;
}

/** The typed array whose elements hold values of a type: of `?` and `c` a Uint8Array, of `u` a Uint16Array. */
export type CellsOf<T extends TypeCode | TypeName> = [T] extends [keyof CellsByKey] ? CellsByKey[T] : Cells;

/** What may be given where an element of a type is expected. */
export type CellInput<T extends TypeCode | TypeName> = T extends BigCode | 'bigint64' | 'biguint64'
  ? bigint | number
  : T extends '?' | 'bool'
    ? boolean
    : T extends 'u' | 'utf16'
      ? string
      : T extends 'c' | 'bytes'
        ? number | string | Uint8Array
        : number;
