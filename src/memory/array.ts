import type { Handle, Shareable } from '../transfer/handle.js';
import { registerKind } from '../transfer/handle.js';
import { MultiprocessingError } from '../errors.js';
import { native } from '../native/load.js';
import type { RLock } from '../sync/rlock.js';
import { type Address, Reference } from './arena.js';
import { arrayClass, type ArrayKind, isArrayOf } from './array-class.js';
import { parseInitial } from './array-init.js';
import { Block } from './block.js';
import type { CellInput, CellsOf } from './cells-of.js';
import { bytesMax } from './segment.js';
import { type ElementType, elementType, type TypeCode, type TypeName, typeOfNumber } from './types.js';

type AnyType = TypeCode | TypeName;

interface Members<T extends AnyType> extends Disposable, Shareable {
  /** The type's code, e.g. `'d'`. */
  readonly typecode: TypeCode;
  /** The plain typed array over the same memory: for code that must not see a subclass. */
  readonly raw: CellsOf<T>;
  /**
   * Detaches this handle; its own methods then throw ClosedError. The last handle of this thread detaches the memory:
   * this array and every view of it have length 0 then. Others keep theirs. Twice is harmless.
   */
  close(): void;
}
interface BytesMembers {
  /** The bytes up to the first NUL, as a copy. Can be set to bytes, or to a string, which is stored as UTF-8. */
  get value(): Buffer;
  set value(value: string | Uint8Array);
}
interface TextMembers {
  /** The text up to the first NUL. */
  value: string;
}
type TextOf<T extends AnyType> = [T] extends ['c' | 'bytes']
  ? BytesMembers
  : [T] extends ['u' | 'utf16']
    ? TextMembers
    : unknown;

/** A typed array in shared memory, without a lock. */
export type RawArray<T extends AnyType = AnyType> = CellsOf<T> & Members<T> & TextOf<T>;
/** A typed array in shared memory, with a lock of its own. */
export type MpArray<T extends AnyType = AnyType> = RawArray<T> & {
  /** Taken by nobody but you: single elements need none. Closes with the array. */
  readonly lock: RLock;
};

/** What an array can be made of: how many elements, all 0, or their values. `'c'` and `'u'` take a string as well. */
export type ArrayInit<T extends AnyType> =
  number | Iterable<CellInput<T>> | CellsOf<T> | (T extends 'c' | 'bytes' | 'u' | 'utf16' ? string : never);

interface RawArrayConstructor {
  /**
   * @param type a code of Python's (`'d'`) or the name of the type (`'float64'`)
   * @param init a length, or values: out of range is a RangeError, never cut
   * @throws MultiprocessingError `ERR_MP_MEMORY` if there is not so much memory, now and not later
   */
  new <T extends AnyType>(type: T, init: ArrayInit<T>): RawArray<T>;
  readonly prototype: RawArray;
}
interface MpArrayConstructor {
  /**
   * @param type a code of Python's (`'d'`) or the name of the type (`'float64'`)
   * @param init a length, or values: out of range is a RangeError, never cut
   * @throws MultiprocessingError `ERR_MP_MEMORY` if there is not so much memory, now and not later
   */
  new <T extends AnyType>(type: T, init: ArrayInit<T>): MpArray<T>;
  readonly prototype: MpArray;
}

function create(kind: ArrayKind, typeKey: unknown, init: unknown): object {
  const what = `new ${kind}()`;
  const type = elementType(typeKey, what);
  const { length, cells } = parseInitial(type, init, what);
  const bytes = length * type.cells.BYTES_PER_ELEMENT;
  const reference = Reference.createBlock(native.layout.kindArray, type.number, bytes, what);
  const array = show(kind, type, reference, what);
  if (cells !== undefined) (array as Uint8Array).set(cells as Uint8Array);
  return array;
}

function show(kind: ArrayKind, type: ElementType, reference: Reference, what: string): object {
  const { block, buffer } = Block.open(reference, what);
  return new (arrayClass(kind, type))(block, buffer);
}

/** Its instances are of the classes of array-class.ts, one for each type. */
function constructorOf(kind: ArrayKind): unknown {
  // eslint-disable-next-line @typescript-eslint/no-extraneous-class -- see above
  const made = class {
    constructor(type: unknown, init: unknown) {
      return create(kind, type, init);
    }
    static [Symbol.hasInstance](value: unknown): boolean {
      return isArrayOf(kind, value);
    }
  };
  Object.defineProperty(made, 'name', { value: kind });
  return made;
}

/**
 * A real typed array (`new RawArray('d', 10) instanceof Float64Array`) over shared memory, without a lock. Nothing blocks.
 *
 * Elements are those of the typed array: of `?` and `c` bytes, of `u` code units, and an assignment converts as typed
 * arrays do (`int8[0] = 300` stores 44). No element is torn; `Atomics` work across processes. map(), filter() and slice()
 * give private arrays, subarray() a plain view. Zero at first; gone when the last handle is closed or its owner has
 * ended. Costs no descriptor, whatever its size.
 */
export const RawArray = constructorOf('RawArray') as RawArrayConstructor;

/**
 * A {@link RawArray} with a lock of its own, `lock`. Exported as `Array`, too.
 *
 * ```js
 * const sums = new Array('d', 1000);
 * sums.lock.runExclusiveSync(() => { sums[0] += 1; });
 * ```
 */
export const MpArray = constructorOf('Array') as MpArrayConstructor;

for (const kind of ['Array', 'RawArray'] as const) {
  registerKind<Handle & Address>(kind, (address) => {
    const reference = Reference.open(address, native.layout.kindArray, kind);
    const type = typeOfNumber(reference.detail);
    const { bytes } = reference;
    if (type === undefined || bytes % type.cells.BYTES_PER_ELEMENT !== 0 || bytes > bytesMax) {
      reference.release();
      throw new MultiprocessingError(
        type === undefined || bytes <= bytesMax ? 'ERR_MP_DAMAGED' : 'ERR_MP_UNSUPPORTED',
        `open(): this ${kind} is of a type or size that this Node.js does not know`,
      );
    }
    return show(kind, type, reference, 'open()');
  });
}
