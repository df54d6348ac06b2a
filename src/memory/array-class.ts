/**
 * The classes behind Array and RawArray: for each type a subclass of its typed array.
 *
 * V8 runs loops over an instance as over any typed array, as long as it has no property `constructor` of its own: that
 * would slow slice() and subarray() of every typed array in the process. What makes new arrays makes plain ones, by
 * Symbol.species.
 */
import { inspect } from 'node:util';
import { ClosedError } from '../errors.js';
import { rangeError, show, typeError } from '../native/arguments.js';
import { RLock } from '../sync/rlock.js';
import { grant, type Handle, pin, toHandle } from '../transfer/handle.js';
import type { Address } from './arena.js';
import { Block } from './block.js';
import type { Cells, ElementType } from './types.js';

export type ArrayKind = 'Array' | 'RawArray';

/** What instances have beside the members of typed arrays. */
export interface ArrayMembers {
  readonly typecode: string;
  readonly raw: Cells;
  close(): void;
}
type ArrayClass = new (block: Block, buffer: ArrayBuffer) => Cells & ArrayMembers;
type AnyCells = new (buffer: ArrayBuffer) => Uint8Array<ArrayBuffer>;

const classes = new Map<string, ArrayClass>();

export function arrayClass(kind: ArrayKind, type: ElementType): ArrayClass {
  const key = `${kind} ${type.code}`;
  let known = classes.get(key);
  if (known === undefined) {
    known = define(kind, type);
    Object.defineProperty(known, 'name', { value: kind });
    classes.set(key, known);
  }
  return known;
}

/** Whether something is an instance of one of the classes. */
export function isArrayOf(kind: ArrayKind, value: unknown): boolean {
  for (const [key, type] of classes) {
    if (key.startsWith(`${kind} `) && value instanceof type) return true;
  }
  return false;
}

function define(kind: ArrayKind, type: ElementType): ArrayClass {
  const base = type.cells as unknown as AnyCells; // whichever: only what all have is used

  class SharedCells extends base {
    #block: Block | null;
    #raw: Uint8Array<ArrayBuffer> | undefined;

    constructor(block: Block, buffer: ArrayBuffer) {
      if (!(block instanceof Block)) throw typeError(`use new ${kind}('${type.code}', …)`);
      super(buffer);
      this.#block = block;
    }

    static get [Symbol.species](): AnyCells {
      return base;
    }

    get typecode(): string {
      return type.code;
    }

    get raw(): Uint8Array<ArrayBuffer> {
      this.opened('raw');
      return (this.#raw ??= new base(this.buffer));
    }

    close(): void {
      const block = this.#block;
      if (block === null) return;
      this.#block = null;
      this.#raw = undefined;
      block.close(this.buffer);
    }

    [Symbol.dispose](): void {
      this.close();
    }

    [toHandle](): Handle & Address {
      return { multiproc: kind, ...this.opened('share()').reference.address };
    }
    [pin](): () => void {
      return this.opened('share()').reference.pin();
    }
    [grant](ownerId: number): void {
      this.opened('share()').reference.grant(ownerId);
    }

    [inspect.custom](_depth: unknown, options: object): string {
      if (this.#block === null) return `<${kind} '${type.code}' closed>`;
      return `<${kind} '${type.code}' ${inspect(this.raw, options)}>`;
    }

    /** @internal */
    opened(what: string): Block {
      if (this.#block === null) throw new ClosedError(`${kind}.${what}: this handle was closed`);
      return this.#block;
    }
  }

  const withText =
    type.code === 'c' ? bytesClass(SharedCells) : type.code === 'u' ? textClass(SharedCells) : SharedCells;
  return kind === 'Array' ? lockedClass(withText) : withText;
}

type Opened = Uint8Array<ArrayBuffer> & ArrayMembers & { opened(what: string): Block };
type OpenedClass = new (block: Block, buffer: ArrayBuffer) => Opened;

function lockedClass(of: OpenedClass): OpenedClass {
  return class extends of {
    #lock: RLock | undefined;

    get lock(): RLock {
      const { reference } = this.opened('lock');
      if (this.#lock === undefined) {
        reference.retain();
        this.#lock = new RLock(reference);
      }
      return this.#lock;
    }

    override close(): void {
      this.#lock?.close();
      super.close();
    }
  };
}

function bytesClass(of: OpenedClass): OpenedClass {
  return class extends of {
    get value(): Buffer {
      this.opened('value');
      const end = this.indexOf(0);
      return Buffer.from(this.subarray(0, end < 0 ? this.length : end)); // a copy
    }
    set value(value: string | Uint8Array) {
      this.opened('value');
      if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
        throw typeError(`Array.value: takes a string or a Uint8Array, not ${show(value)}`);
      }
      put(this, typeof value === 'string' ? Buffer.from(value) : value, 'bytes');
    }
  };
}

function textClass(of: OpenedClass): OpenedClass {
  return class extends of {
    get value(): string {
      this.opened('value');
      const end = this.indexOf(0);
      const units = this.slice(0, end < 0 ? this.length : end);
      return Buffer.from(units.buffer).toString('utf16le');
    }
    set value(value: string) {
      this.opened('value');
      if (typeof value !== 'string') throw typeError(`Array.value: takes a string, not ${show(value)}`);
      put(
        this,
        Uint16Array.from({ length: value.length }, (_, i) => value.charCodeAt(i)),
        'characters',
      );
    }
  };
}

/** Writes cells from the start, and a NUL behind them if there is room. */
function put(to: Opened, cells: ArrayLike<number>, what: string): void {
  if (cells.length > to.length) {
    throw rangeError(`Array.value: ${cells.length} ${what} do not fit, the array has ${to.length}`);
  }
  to.set(cells);
  if (cells.length < to.length) to[cells.length] = 0;
}
