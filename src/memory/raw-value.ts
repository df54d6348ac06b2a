import { inspect } from 'node:util';
import { ClosedError, MultiprocessingError } from '../errors.js';
import { typeError } from '../native/arguments.js';
import { native } from '../native/load.js';
import { grant, type Handle, pin, registerKind, type Shareable, toHandle } from '../transfer/handle.js';
import { type Address, Reference, slotWords } from './arena.js';
import { loadCell, storeCell } from './cells.js';
import {
  type BigCode,
  type Cells,
  elementType,
  type ElementType,
  type IntegerCode,
  type TypeCode,
  type TypeName,
  typeOfNumber,
  type ValueOf,
} from './types.js';

export interface ValueAddress extends Handle, Address {}

/** What may be given where a value of a type is expected. */
export type ValueInput<T extends TypeCode | TypeName> = T extends BigCode | 'bigint64' | 'biguint64'
  ? bigint | number
  : T extends 'c' | 'bytes'
    ? number | string | Uint8Array
    : ValueOf<T>;
/** What add() takes: only integer types have it. */
export type Addend<T extends TypeCode | TypeName> = T extends BigCode | 'bigint64' | 'biguint64'
  ? bigint | number
  : T extends IntegerCode | 'int8' | 'uint8' | 'int16' | 'uint16' | 'int32' | 'uint32'
    ? number
    : never;

/** A window on the arena for each kind of cell; made when first needed. */
const windows = new Map<ElementType['cells'], Cells>();
function windowOf({ cells }: ElementType): Cells {
  let window = windows.get(cells);
  if (window === undefined) windows.set(cells, (window = new cells(slotWords.buffer)));
  return window;
}
const closedCells = new Uint8Array(0);

/**
 * One number, boolean, byte or character in shared memory, without a lock. Nothing blocks.
 *
 * A read or a write is never torn, and who sees a written value sees what its writer did before (`f` and `d`: on x64;
 * elsewhere take a lock for that). Integer types can be changed atomically: `add`, `exchange`, `compareExchange`.
 *
 * Values out of range are a RangeError, never cut. Costs 64 bytes of shared memory and no descriptor.
 */
export class RawValue<T extends TypeCode | TypeName = TypeCode | TypeName> implements Disposable, Shareable {
  readonly #type: ElementType;
  #cells: Cells;
  #index: number;
  #reference: Reference | null;

  /**
   * @param type a code of Python's (`'i'`) or the name of the type (`'int32'`)
   * @param value what it starts with: 0, false, or `'\0'` if left out
   */
  constructor(type: T, value?: ValueInput<T>);
  /** @internal */
  constructor(type: ElementType, reference: Reference);
  constructor(type: T | ElementType, value?: ValueInput<T> | Reference) {
    if (value instanceof Reference) {
      this.#type = type as ElementType;
      this.#reference = value;
    } else {
      const what = `new ${new.target.name}()`;
      this.#type = elementType(type, what);
      const cell = value === undefined ? undefined : this.#type.toCell(value, what); // before anything is made
      this.#reference = Reference.create(native.layout.kindValue, this.#type.number);
      if (cell !== undefined) storeCell(this.#type, windowOf(this.#type), this.#cellIndex(), cell);
    }
    this.#cells = windowOf(this.#type);
    this.#index = this.#cellIndex();
  }

  /** The class's name in messages and handles. */
  protected get kindName(): string {
    return 'RawValue';
  }

  /** The type's code, e.g. `'i'`. */
  get typecode(): TypeCode {
    return this.#type.code;
  }

  get value(): ValueOf<T> {
    if (this.#reference === null) throw this.#closed('value');
    return this.#type.fromCell(loadCell(this.#type, this.#cells, this.#index)) as ValueOf<T>;
  }
  set value(value: ValueInput<T>) {
    if (this.#reference === null) throw this.#closed('value');
    storeCell(this.#type, this.#cells, this.#index, this.#type.toCell(value, 'Value.value'));
  }

  /**
   * Adds atomically and returns what was there before.
   * @throws RangeError, and changes nothing, if the sum is out of range
   */
  add(addend: Addend<T>): ValueOf<T> {
    const what = `${this.kindName}.add()`;
    const [cells, index, type] = this.#atomic(what, 'add');
    const { min, max } = type;
    const by = addendOf(addend, type, what);
    for (;;) {
      const before = Atomics.load(cells, index) as number | bigint;
      const sum = (before as number) + (by as number); // both are numbers, or both BigInts
      if (sum < min || sum > max) type.toCell(sum, what); // throws
      if ((Atomics.compareExchange(cells, index, before as number, sum) as number | bigint) === before) {
        return before as ValueOf<T>;
      }
    }
  }

  /** Stores a value atomically and returns what was there before. */
  exchange(value: ValueInput<T>): ValueOf<T> {
    const what = `${this.kindName}.exchange()`;
    const [cells, index, type] = this.#atomic(what, 'exchange');
    return type.fromCell(Atomics.exchange(cells, index, type.toCell(value, what) as number)) as ValueOf<T>;
  }

  /** Stores `replacement` if the value is `expected`, atomically. Returns what was there before. */
  compareExchange(expected: ValueInput<T>, replacement: ValueInput<T>): ValueOf<T> {
    const what = `${this.kindName}.compareExchange()`;
    const [cells, index, type] = this.#atomic(what, 'exchange');
    const from = type.toCell(expected, what) as number;
    return type.fromCell(
      Atomics.compareExchange(cells, index, from, type.toCell(replacement, what) as number),
    ) as ValueOf<T>;
  }

  /** Detaches this handle; every method then throws ClosedError. The value lasts while anybody has a handle. Twice is harmless. */
  close(): void {
    const reference = this.#reference;
    if (reference === null) return;
    this.#reference = null;
    this.#cells = closedCells;
    this.#index = 0;
    reference.release();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [toHandle](): ValueAddress {
    return { multiproc: this.kindName, ...this.reference('share()').address };
  }
  [pin](): () => void {
    return this.reference('share()').pin();
  }
  [grant](ownerId: number): void {
    this.reference('share()').grant(ownerId);
  }

  [inspect.custom](): string {
    if (this.#reference === null) return `<${this.kindName} closed>`;
    return `<${this.kindName} '${this.#type.code}' ${inspect(this.value)}>`;
  }

  /** @internal The object, if this handle is open. */
  protected reference(what: string): Reference {
    if (this.#reference === null) throw this.#closed(what);
    return this.#reference;
  }

  #cellIndex(): number {
    return this.#reference!.valueOffset / this.#type.cells.BYTES_PER_ELEMENT;
  }

  #atomic(
    what: string,
    operation: 'add' | 'exchange',
  ): [cells: Int32Array, index: number, type: ElementType] {
    if (this.#reference === null) throw new ClosedError(`${what}: this handle was closed`);
    const type = this.#type;
    if (type.atomic === false || (operation === 'add' && type.atomic !== 'add')) {
      const instead =
        this.kindName === 'Value' ? 'use update(), which takes the lock' : 'use a Value and its update()';
      throw typeError(`${what}: not atomic for ${type.name}; ${instead}`);
    }
    return [this.#cells as Int32Array, this.#index, type];
  }

  #closed(what: string): ClosedError {
    return new ClosedError(`${this.kindName}.${what}: this handle was closed`);
  }
}

/** An addend may be as large as the distance between two values of the type. */
function addendOf(addend: unknown, type: ElementType, what: string): number | bigint {
  if (typeof type.max === 'bigint') {
    if (typeof addend === 'bigint') return addend;
    if (Number.isSafeInteger(addend)) return BigInt(addend as number);
  } else if (Number.isSafeInteger(addend)) {
    return addend as number;
  }
  return type.toCell(addend, what); // says what is wrong
}

/** The value behind a handle that has travelled. */
export function openValue(address: ValueAddress, what: string): [ElementType, Reference] {
  const reference = Reference.open(address, native.layout.kindValue, what);
  const type = typeOfNumber(reference.detail);
  if (type === undefined) {
    reference.release();
    throw new MultiprocessingError(
      'ERR_MP_DAMAGED',
      `open(): this ${what} has a type this version does not know`,
    );
  }
  return [type, reference];
}

registerKind<ValueAddress>('RawValue', (address) => new RawValue(...openValue(address, 'RawValue')));
