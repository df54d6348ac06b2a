/**
 * The element types of shared values: Python's type codes and the names of typed arrays.
 *
 * `number` is stored in the shared object (`Slot.detail`), so that whoever opens it knows the type: rows are only added.
 */
import { rangeError, show, typeError } from '../native/arguments.js';

export type IntegerCode = 'b' | 'B' | 'h' | 'H' | 'i' | 'I';
export type BigCode = 'q' | 'Q' | 'l' | 'L';
export type FloatCode = 'f' | 'd';
export type TypeCode = IntegerCode | BigCode | FloatCode | '?' | 'c' | 'u';
export type TypeName =
  | ('int8' | 'uint8' | 'int16' | 'uint16' | 'int32' | 'uint32')
  | ('bigint64' | 'biguint64' | 'float32' | 'float64' | 'bool' | 'bytes' | 'utf16');

/** What a value of a type is in JavaScript. */
export type ValueOf<T extends TypeCode | TypeName> = T extends BigCode | 'bigint64' | 'biguint64'
  ? bigint
  : T extends '?' | 'bool'
    ? boolean
    : T extends 'u' | 'utf16'
      ? string
      : number;

export type Cells =
  | Int8Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>;
type CellsConstructor = (new (buffer: ArrayBuffer, byteOffset?: number, length?: number) => Cells) & {
  readonly BYTES_PER_ELEMENT: number;
};

export interface ElementType {
  readonly number: number;
  readonly code: TypeCode;
  readonly name: TypeName;
  readonly cells: CellsConstructor;
  /** Whether add, exchange and compareExchange are possible. */
  readonly atomic: 'add' | 'exchange' | false;
  readonly min: number | bigint;
  readonly max: number | bigint;
  /** The cell for a JavaScript value; throws RangeError or TypeError rather than change it. */
  toCell(value: unknown, what: string): number | bigint;
  fromCell(cell: number | bigint): number | bigint | boolean | string;
}

const same = (cell: number | bigint): number | bigint => cell;

function integer(
  number: number,
  code: IntegerCode,
  name: TypeName,
  cells: CellsConstructor,
  min: number,
  max: number,
): ElementType {
  const toCell = (value: unknown, what: string): number => {
    if (typeof value !== 'number') throw typeError(`${what}: ${name} takes a number, not ${show(value)}`);
    if (!Number.isInteger(value) || value < min || value > max) {
      throw rangeError(`${what}: ${value} is not an integer from ${min} to ${max} (${name})`);
    }
    return value;
  };
  return { number, code, name, cells, atomic: 'add', min, max, toCell, fromCell: same };
}

function big(
  number: number,
  code: BigCode,
  name: TypeName,
  cells: CellsConstructor,
  min: bigint,
  max: bigint,
): ElementType {
  const toCell = (value: unknown, what: string): bigint => {
    if (typeof value !== 'bigint' && typeof value !== 'number') {
      throw typeError(`${what}: ${name} takes a BigInt or a safe integer, not ${show(value)}`);
    }
    if (typeof value === 'number' && !Number.isSafeInteger(value)) {
      throw rangeError(`${what}: ${value} is not a safe integer; give a BigInt (${name})`);
    }
    const cell = BigInt(value);
    if (cell < min || cell > max)
      throw rangeError(`${what}: ${cell}n is not from ${min}n to ${max}n (${name})`);
    return cell;
  };
  return { number, code, name, cells, atomic: 'add', min, max, toCell, fromCell: same };
}

function float(
  number: number,
  code: FloatCode,
  name: TypeName,
  cells: CellsConstructor,
  max: number,
): ElementType {
  const toCell = (value: unknown, what: string): number => {
    if (typeof value !== 'number') throw typeError(`${what}: ${name} takes a number, not ${show(value)}`);
    if (Number.isFinite(value) && Math.abs(value) > max)
      throw rangeError(`${what}: ${value} does not fit in a ${name}`);
    return value;
  };
  return { number, code, name, cells, atomic: false, min: -max, max, toCell, fromCell: same };
}

const bool: ElementType = {
  number: 12,
  code: '?',
  name: 'bool',
  cells: Uint8Array,
  atomic: 'exchange',
  min: 0,
  max: 1,
  toCell(value, what) {
    if (typeof value !== 'boolean') throw typeError(`${what}: bool takes true or false, not ${show(value)}`);
    return value ? 1 : 0;
  },
  fromCell: (cell) => cell !== 0,
};

const byte: ElementType = {
  number: 13,
  code: 'c',
  name: 'bytes',
  cells: Uint8Array,
  atomic: 'exchange',
  min: 0,
  max: 255,
  toCell(value, what) {
    let cell = value;
    if (typeof value === 'string' && value.length === 1) cell = value.charCodeAt(0);
    else if (value instanceof Uint8Array && value.length === 1) cell = value[0];
    if (typeof cell !== 'number') {
      throw typeError(
        `${what}: bytes takes a number, a one-character string or a Uint8Array of one byte, not ${show(value)}`,
      );
    }
    if (!Number.isInteger(cell) || cell < 0 || cell > 255)
      throw rangeError(`${what}: ${show(value)} is not one byte`);
    return cell;
  },
  fromCell: same,
};

const character: ElementType = {
  number: 14,
  code: 'u',
  name: 'utf16',
  cells: Uint16Array,
  atomic: 'exchange',
  min: 0,
  max: 0xffff,
  toCell(value, what) {
    if (typeof value !== 'string')
      throw typeError(`${what}: utf16 takes a string of one character, not ${show(value)}`);
    if (value.length !== 1) throw rangeError(`${what}: ${show(value)} is not one UTF-16 code unit`);
    return value.charCodeAt(0);
  },
  fromCell: (cell) => String.fromCharCode(Number(cell)),
};

const min64 = -(2n ** 63n);
const max64 = 2n ** 63n - 1n;
const maxU64 = 2n ** 64n - 1n;

const types: readonly ElementType[] = [
  integer(0, 'b', 'int8', Int8Array, -128, 127),
  integer(1, 'B', 'uint8', Uint8Array, 0, 255),
  integer(2, 'h', 'int16', Int16Array, -32768, 32767),
  integer(3, 'H', 'uint16', Uint16Array, 0, 65535),
  integer(4, 'i', 'int32', Int32Array, -0x80000000, 0x7fffffff),
  integer(5, 'I', 'uint32', Uint32Array, 0, 0xffffffff),
  big(6, 'q', 'bigint64', BigInt64Array, min64, max64),
  big(7, 'Q', 'biguint64', BigUint64Array, 0n, maxU64),
  big(8, 'l', 'bigint64', BigInt64Array, min64, max64),
  big(9, 'L', 'biguint64', BigUint64Array, 0n, maxU64),
  float(10, 'f', 'float32', Float32Array, 3.4028234663852886e38),
  float(11, 'd', 'float64', Float64Array, Number.MAX_VALUE),
  bool,
  byte,
  character,
];

const byKey = new Map<unknown, ElementType>();
for (const type of [...types].reverse()) byKey.set(type.code, type).set(type.name, type); // the first of a name wins

/** The type for a code or name. @throws TypeError that lists what there is */
export function elementType(key: unknown, what: string): ElementType {
  const type = byKey.get(key);
  if (type === undefined) {
    const known = types.map((t) => `'${t.code}' ${t.name}`).join(', ');
    throw typeError(`${what}: no such type: ${show(key)}; there are ${known}`);
  }
  return type;
}

/** The type with a stored number; undefined if the number is not one of ours. */
export function typeOfNumber(number: number): ElementType | undefined {
  return types[number];
}
