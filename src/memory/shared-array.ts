import { inspect } from 'node:util';
import { ClosedError, MultiprocessingError } from '../errors.js';
import { show, typeError } from '../native/arguments.js';
import { grant, type Handle, pin, registerKind, type Shareable, toHandle } from '../transfer/handle.js';
import type { CellInput, CellsOf } from './cells-of.js';
import { createArray, createArrayLater, type CreateOptions } from './create-array.js';
import { deleteArray, listArrays, openArray, parseArraySpec, type SharedArrayFacts } from './named-arrays.js';
import type { Segment } from './segment.js';
import { offsetOf, product, restOf, stridesOf } from './shape.js';
import {
  type Cells,
  type ElementType,
  type TypeCode,
  type TypeName,
  typeOfNumber,
  type ValueOf,
} from './types.js';

interface ArrayHandle extends Handle {
  readonly name: string;
  readonly id: string;
  readonly readOnly: boolean;
  readonly indices: number[];
}

/** What a handle stands for: an array, or a part of one. */
interface Part {
  readonly segment: Segment;
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** The indices in the whole array that lead here. */
  readonly indices: readonly number[];
  /** In elements. */
  readonly offset: number;
  /** Whether closing this handle closes the segment. */
  readonly owns: boolean;
}

/**
 * A named array in shared memory, of a type and a shape, that programs need not be related to share.
 *
 * It describes itself: who attaches learns type and shape from it. It lives until `delete(name)` or, in shared memory,
 * the machine's next start, whoever ends; those that have it open when it is deleted keep it until they close. Nothing
 * is locked: see Lock. `data` is a plain typed array over the memory, so loops run at full speed.
 *
 * Another program can shorten or overwrite a named segment at any time. That is never a crash: what is lost reads as
 * zeros, `damaged` is true from then on, and methods throw `ERR_MP_DAMAGED`. Do not close a handle while an asynchronous
 * call of Node's (zlib, crypto) still works on its bytes.
 *
 * ```js
 * const img = SharedArray.create('img', [480, 640, 3], 'uint8', { ifExists: 'replace' });
 * img.data.fill(255);
 * ```
 */
export class SharedArray<T extends TypeCode | TypeName = TypeCode | TypeName>
  implements Disposable, Shareable
{
  readonly #part: Part;
  readonly #strides: readonly number[];
  #data: Cells;
  #open = true;
  #looking = false;

  private constructor(part: Part) {
    if ((part as Part | undefined)?.segment === undefined)
      throw typeError(
        'new SharedArray(): make one by SharedArray.create(), open one by SharedArray.attach()',
      );
    const { cells } = part.type;
    this.#part = part;
    this.#strides = stridesOf(part.shape);
    this.#data = new cells(part.segment.buffer, part.offset * cells.BYTES_PER_ELEMENT, product(part.shape));
  }

  /**
   * Makes an array of zeros. Its memory is reserved, which takes 0.24 s per GiB: see createAsync().
   *
   * @param name `x` or `shm://x` in shared memory, `file://path` for a file
   * @param shape lengths of the dimensions, or one length
   * @param dtype a code of Python's (`'d'`) or the name of the type (`'float64'`, the default)
   * @throws MultiprocessingError ERR_MP_EXISTS, ERR_MP_MEMORY, ERR_MP_ACCESS; with `ifExists: 'attach'` also ERR_MP_TYPE,
   * ERR_MP_SHAPE, ERR_MP_DAMAGED, ERR_MP_LAYOUT_VERSION. Nothing is left behind then.
   */
  static create<T extends TypeCode | TypeName = 'float64'>(
    name: string | URL,
    shape: number | readonly number[],
    dtype?: T | CreateOptions,
    options?: CreateOptions,
  ): SharedArray<T> {
    const what = `SharedArray.create(${show(name)})`;
    return SharedArray.#whole(createArray(parseArraySpec(name, shape, dtype, options, what)), what);
  }

  /** The same with the memory reserved by a native thread, while the event loop goes on. */
  static async createAsync<T extends TypeCode | TypeName = 'float64'>(
    name: string | URL,
    shape: number | readonly number[],
    dtype?: T | CreateOptions,
    options?: CreateOptions,
  ): Promise<SharedArray<T>> {
    const what = `SharedArray.createAsync(${show(name)})`;
    const spec = parseArraySpec(name, shape, dtype, options, what);
    return SharedArray.#whole(await createArrayLater(spec), what);
  }

  /**
   * Opens an array that exists.
   *
   * With `readOnly` nothing done here can change it, and read permission is enough. JavaScript has no read-only typed
   * arrays, so a write to `data` goes through, to this process's own copy of a page: the next use of the handle throws
   * ERR_MP_READ_ONLY and undoes it; a warning tells as well.
   * @throws MultiprocessingError ERR_MP_NOT_FOUND, ERR_MP_ACCESS, ERR_MP_DAMAGED, ERR_MP_LAYOUT_VERSION
   */
  static attach<T extends TypeCode | TypeName = TypeCode | TypeName>(
    name: string | URL,
    options?: { readOnly?: boolean },
  ): SharedArray<T> {
    const what = `SharedArray.attach(${show(name)})`;
    if (options !== undefined && (typeof options !== 'object' || (options as unknown) === null)) {
      throw typeError(`${what}: the options must be an object, not ${show(options)}`);
    }
    const readOnly: unknown = options?.readOnly ?? false;
    if (typeof readOnly !== 'boolean')
      throw typeError(`${what}: readOnly must be true or false, not ${show(readOnly)}`);
    return SharedArray.#whole(openArray(name, readOnly, what), what);
  }

  /**
   * Takes the name away. Those that have the array open keep it; its memory is freed when the last one closes or ends.
   * A file goes only if it is a SharedArray.
   * @throws MultiprocessingError ERR_MP_NOT_FOUND, ERR_MP_ACCESS
   */
  static delete(name: string | URL): void {
    deleteArray(name);
  }

  /** The arrays in shared memory that this user may read. Damaged ones and files are not among them. */
  static list(): SharedArrayFacts[] {
    return listArrays();
  }

  static #whole<T extends TypeCode | TypeName>(
    segment: Segment,
    what: string,
    indices: readonly number[] = [],
  ): SharedArray<T> {
    try {
      const { elementType: number, elementBytes, shape } = segment.facts;
      const type = typeOfNumber(number);
      if (type?.cells.BYTES_PER_ELEMENT !== elementBytes) {
        throw new MultiprocessingError(
          'ERR_MP_DAMAGED',
          `${what}: its elements have a type that this version of multiproc does not know (${number})`,
        );
      }
      segment.check(what); // another thread here may have seen it damaged
      const offset = offsetOf(indices, shape, stridesOf(shape), what);
      return new SharedArray({ segment, type, shape: restOf(shape, indices), indices, offset, owns: true });
    } catch (error) {
      segment.close();
      throw error;
    }
  }

  /** @internal */
  static fromHandle(handle: ArrayHandle): SharedArray {
    const { name, id, readOnly, indices } = handle;
    const what = `open(SharedArray ${show(name)})`;
    if (typeof id !== 'string' || typeof readOnly !== 'boolean' || !Array.isArray(indices)) {
      throw new MultiprocessingError('ERR_MP_HANDLE', `${what}: this handle is damaged`);
    }
    const segment = openArray(name, readOnly, what);
    if (segment.facts.id.toString(16) === id) return SharedArray.#whole(segment, what, indices);
    segment.close();
    throw new MultiprocessingError(
      'ERR_MP_NOT_FOUND',
      `${what}: it was deleted or replaced meanwhile; another array has its name now`,
    );
  }

  /** The elements, flat, in C order: exactly this array's bytes. Empty once closed. */
  get data(): CellsOf<T> {
    const { segment } = this.#part;
    if (!segment.isOpen) this.#data = this.#empty();
    else if (segment.readOnly) this.#lookForWrites();
    return this.#data as CellsOf<T>;
  }
  get shape(): readonly number[] {
    return [...this.#part.shape];
  }
  /** How many elements lie between neighbours along each dimension. */
  get strides(): readonly number[] {
    return [...this.#strides];
  }
  get dtype(): TypeName {
    return this.#part.type.name;
  }
  /** The name it was made with; a file's with `file://` and its absolute path. */
  get name(): string {
    return this.#part.segment.place.label;
  }
  /** Bytes of data. */
  get size(): number {
    return product(this.#part.shape) * this.#part.type.cells.BYTES_PER_ELEMENT;
  }
  get readOnly(): boolean {
    return this.#part.segment.readOnly;
  }
  /** Whether something of the data was lost while it was open here: it reads as zeros, and methods throw. */
  get damaged(): boolean {
    return this.#part.segment.damaged;
  }

  /**
   * The element that all indices lead to, negative ones counting from the end. With fewer indices, what subarray()
   * gives; in TypeScript: `at<SharedArray>(0)`.
   */
  at<R extends ValueOf<T> | SharedArray<T> = ValueOf<T>>(...indices: number[]): R {
    const { segment, shape, type } = this.#part;
    if (indices.length < shape.length) return this.subarray(...indices) as R;
    this.#check('at()');
    const cell = this.#data[offsetOf(indices, shape, this.#strides, 'SharedArray.at()')]!;
    segment.check('SharedArray.at()'); // reading it may have been what showed the damage
    return type.fromCell(cell) as R;
  }

  /** Stores an element, range-checked. */
  set(value: CellInput<T>, ...indices: number[]): void {
    const what = 'SharedArray.set()';
    const { segment, shape, type } = this.#part;
    this.#check('set()');
    segment.checkWritable(what);
    if (indices.length < shape.length) {
      throw typeError(
        `${what}: ${indices.length} indices for ${shape.length} dimensions; set one element, or use data`,
      );
    }
    this.#data[offsetOf(indices, shape, this.#strides, what)] = type.toCell(value, what);
    segment.check(what);
  }

  /** The part that leading indices lead to, e.g. one image of many: the same memory. It closes with this handle. */
  subarray(...indices: number[]): SharedArray<T> {
    this.#check('subarray()');
    const { shape, offset } = this.#part;
    const more = offsetOf(indices, shape, this.#strides, 'SharedArray.subarray()');
    return new SharedArray({
      ...this.#part,
      shape: restOf(shape, indices),
      indices: [...this.#part.indices, ...indices],
      offset: offset + more,
      owns: false,
    });
  }

  /** Writes what has changed to the file, and waits for it: for `file://` arrays that must survive a power failure. */
  msync(): void {
    this.#check('msync()');
    this.#part.segment.sync('SharedArray.msync()');
  }

  /**
   * Detaches this handle; methods then throw ClosedError. The last handle of this thread on the array detaches the
   * memory: whatever views there are of it read as empty. Other threads and processes keep theirs. Twice is harmless.
   */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#data = this.#empty();
    if (!this.#part.owns) return;
    if (this.#part.segment.written) this.#warn();
    this.#part.segment.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Travels by its name. Whoever opens it gets this very array, or ERR_MP_NOT_FOUND if another has the name by then. */
  [toHandle](): ArrayHandle {
    this.#check('share()');
    const { segment, indices } = this.#part;
    const { readOnly, facts, place } = segment;
    return {
      multiproc: 'SharedArray',
      name: place.label,
      id: facts.id.toString(16),
      readOnly,
      indices: [...indices],
    };
  }
  /** There is nothing to keep: it lives until it is deleted. */
  [pin](): () => void {
    return () => undefined;
  }
  [grant](): void {
    this.#check('share()');
  }

  /** Reading `data` of a read-only array may mean writing it: looks afterwards, once a turn. */
  #lookForWrites(): void {
    const { segment } = this.#part;
    if (segment.written) segment.check('SharedArray.data');
    if (this.#looking) return;
    this.#looking = true;
    setImmediate(() => {
      this.#looking = false;
      if (segment.written) this.#warn();
    });
  }

  #warn(): void {
    const { message } = this.#part.segment.writtenError('SharedArray.data');
    process.emitWarning(message, { type: 'MultiprocessingWarning', code: 'ERR_MP_READ_ONLY' });
  }

  #empty(): Cells {
    return new this.#part.type.cells(new ArrayBuffer(0));
  }

  #check(method: string): void {
    const what = `SharedArray.${method}`;
    if (!this.#open)
      throw new ClosedError(`${what}: this handle of SharedArray ${show(this.name)} was closed`);
    this.#part.segment.check(what);
  }

  [inspect.custom](): string {
    const { segment, shape, type } = this.#part;
    const state = !this.#open || !segment.isOpen ? ' closed' : segment.damaged ? ' damaged' : '';
    const access = segment.readOnly ? ' read-only' : '';
    return `<SharedArray ${show(this.name)} ${type.name} [${shape.join(', ')}]${access}${state}>`;
  }
}

registerKind<ArrayHandle>('SharedArray', (handle) => SharedArray.fromHandle(handle));
