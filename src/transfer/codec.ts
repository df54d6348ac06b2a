/**
 * Values on their way between processes: structured clone, with shared objects as handles.
 *
 * V8's serializer does the work. It knows no hook for ordinary objects, but it has one for typed arrays: each shared
 * object is replaced, in a copy of what holds it, by an empty typed array of its own, and that hook writes which handle
 * it stands for. V8 tracks identity, so one object sent twice arrives as one.
 */
import { Deserializer, Serializer } from 'node:v8';
import { types } from 'node:util';
import { MultiprocessingError } from '../errors.js';
import { isShareable, openHandle, toHandle, type Handle, type Shareable } from './handle.js';
import { isContainer, refusedBySerializer, scan } from './scan.js';

export interface Encoded {
  bytes: Buffer;
  /** The shared objects in it, for the sender to pin or grant. */
  shared: Shareable[];
}

const format = 1;
const plainMode = 0;
const hookMode = 1; // typed arrays go through the hook: there are shared objects or Buffers
const tags = { shared: 0, buffer: 1, view: 2 } as const;

/** By position: a newer Node may add kinds at the end. Parent and child are the same Node. */
const viewNames = [
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'DataView',
  'Float16Array',
] as const;
type ViewType = new (buffer: ArrayBuffer, offset: number, length: number) => ArrayBufferView;

interface Hooks {
  _setTreatArrayBufferViewsAsHostObjects(yes: boolean): void;
}

class ValueWriter extends Serializer {
  readonly #markers: Map<object, number> | null;

  constructor(markers: Map<object, number> | null) {
    super();
    this.#markers = markers;
    if (markers !== null) (this as unknown as Hooks)._setTreatArrayBufferViewsAsHostObjects(true);
  }

  protected _writeHostObject(value: object): void {
    const marker = this.#markers?.get(value);
    if (marker !== undefined) {
      this.writeUint32(tags.shared);
      this.writeUint32(marker);
    } else if (Buffer.isBuffer(value)) {
      // Exactly its bytes: the pool it may lie in holds other people's.
      this.writeUint32(tags.buffer);
      this.writeDouble(value.byteLength);
      this.writeRawBytes(value);
    } else if (ArrayBuffer.isView(value)) {
      const type = viewNames.indexOf((value as Uint8Array)[Symbol.toStringTag]);
      if (type < 0) throw new Error(`${Object.prototype.toString.call(value)} could not be cloned.`);
      this.writeUint32(tags.view + type);
      this.writeDouble(value.byteOffset);
      this.writeDouble('length' in value ? (value as Uint8Array).length : value.byteLength);
      this.writeValue(value.buffer);
    } else {
      throw new Error(`${Object.prototype.toString.call(value)} could not be cloned.`);
    }
  }

  protected _getDataCloneError = Error;
}

class ValueReader extends Deserializer {
  shared: object[] = [];

  protected _readHostObject(): unknown {
    const tag = this.readUint32();
    if (tag === tags.shared) {
      const object = this.shared[this.readUint32()];
      if (object === undefined) throw new Error('a reference to a handle that is not there');
      return object;
    }
    if (tag === tags.buffer) return Buffer.from(this.readRawBytes(this.readDouble()));
    const name = viewNames[tag - tags.view];
    const type = name && (globalThis as unknown as Record<string, ViewType | undefined>)[name];
    if (type === undefined) throw new Error('a typed array of an unknown kind');
    const offset = this.readDouble();
    const length = this.readDouble();
    return new type(this.readValue() as ArrayBuffer, offset, length);
  }
}

/**
 * Serializes a value. Throws ERR_MP_CLONE with the path of what cannot be cloned, e.g. `args[0].onDone is a function`;
 * `rootName` is that path's beginning.
 */
export function encode(value: unknown, rootName: string): Encoded {
  const { shared, buffers } = scan(value, rootName);
  const list = [...shared];
  const handles = list.map((object) => object[toHandle]());
  const hooked = list.length > 0 || buffers;
  const markers = new Map<object, number>();
  try {
    const writer = new ValueWriter(hooked ? markers : null);
    writer.writeHeader();
    writer.writeUint32(format);
    writer.writeUint32(hooked ? hookMode : plainMode);
    let subject = value;
    if (hooked) {
      writer.writeValue(handles);
      if (list.length > 0) {
        const replaced = new Map<object, object>();
        list.forEach((object, i) => {
          const marker = new Uint8Array(0);
          markers.set(marker, i);
          replaced.set(object, marker);
        });
        subject = copyWith(value, replaced);
      }
    }
    writer.writeValue(subject);
    return { bytes: writer.releaseBuffer(), shared: list };
  } catch (error) {
    if (error instanceof MultiprocessingError) throw error;
    throw refusedBySerializer(value, rootName, (part) => !isShareable(part) && !serializes(part), error);
  }
}

/**
 * The value again. Opens every handle in it, by `open`. Throws ERR_MP_DAMAGED for bytes that encode() did not write.
 */
export function decode(bytes: Uint8Array, open: (handle: Handle) => object = openHandle): unknown {
  try {
    const reader = new ValueReader(bytes);
    reader.readHeader();
    if (reader.readUint32() !== format) throw new Error('another format');
    if (reader.readUint32() === hookMode) {
      const handles = reader.readValue() as Handle[];
      reader.shared = handles.map((handle) => open(handle));
    }
    return reader.readValue();
  } catch (error) {
    if (error instanceof MultiprocessingError) throw error;
    throw new MultiprocessingError(
      'ERR_MP_DAMAGED',
      `A message cannot be read: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

function serializes(value: unknown): boolean {
  try {
    const writer = new ValueWriter(null);
    writer.writeHeader();
    return writer.writeValue(value);
  } catch {
    return false;
  }
}

/** Copies all containers of a value, with the objects of `copies` already replaced. What has no inside stays itself. */
function copyWith(value: unknown, copies: Map<object, object>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const known = copies.get(value);
  if (known !== undefined) return known;
  if (ArrayBuffer.isView(value)) return value;
  if (types.isMap(value)) {
    const copy = new Map<unknown, unknown>();
    copies.set(value, copy);
    for (const [key, item] of value) copy.set(copyWith(key, copies), copyWith(item, copies));
    return copy;
  }
  if (types.isSet(value)) {
    const copy = new Set<unknown>();
    copies.set(value, copy);
    for (const item of value) copy.add(copyWith(item, copies));
    return copy;
  }
  if (!Array.isArray(value) && !isContainer(value)) return value;
  const copy: Record<string, unknown> = Array.isArray(value) ? (new Array(value.length) as never) : {};
  copies.set(value, copy);
  for (const key of Object.keys(value)) {
    // Not by assignment: a property called __proto__ would set the prototype.
    Object.defineProperty(copy, key, {
      value: copyWith((value as Record<string, unknown>)[key], copies),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return copy;
}
