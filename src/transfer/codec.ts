/**
 * Values on their way between processes, as bytes: a message of the codec, with the handles of its shared objects as another
 * message before it.
 *
 *   offset  bytes
 *        0      8  double: the length of the handles, 0 if there are none
 *        8         the handles, padded to a multiple of 8, then the value
 */
import { decodeBytes, encodeToBytes } from '../codec/bytes.js';
import { damaged } from '../codec/failures.js';
import { decodeLater, functionAtOnce, type FunctionOf } from '../codec/functions.js';
import { padded } from '../codec/memory.js';
import { openHandles, toHandle, type Shareable } from './handle.js';

export interface Encoded {
  bytes: Uint8Array;
  /** The shared objects in it, for the sender to pin or grant. */
  shared: Shareable[];
}

/**
 * Serializes a value. Throws ERR_MP_CLONE with the path of what cannot be cloned, e.g. `args[0].onDone is a function`;
 * `rootName` is that path's beginning.
 */
export function encode(value: unknown, rootName: string): Encoded {
  const { bytes, shared } = encodeToBytes(value, rootName);
  const handles =
    shared.length === 0
      ? noBytes
      : encodeToBytes(
          shared.map((object) => object[toHandle]()),
          rootName,
        ).bytes;
  const valueAt = headBytes + padded(handles.length);
  // Not a Buffer, whose functions are JavaScript: what runs in a forked process is memory of its own.
  const whole = new Uint8Array(valueAt + bytes.length);
  new DataView(whole.buffer).setFloat64(0, handles.length, true);
  whole.set(handles, headBytes);
  whole.set(bytes, valueAt);
  return { bytes: whole, shared };
}

/** The value again. Opens every handle in it. Throws ERR_MP_DAMAGED for bytes that encode() did not write. */
export function decode(bytes: Uint8Array): unknown {
  return new Received(bytes).value();
}

/** A message whose shared objects are open, but that may have to wait for the modules of functions in it. */
export class Received {
  readonly #bytes: Uint8Array;
  readonly #shared: object[];

  constructor(bytes: Uint8Array) {
    const length =
      bytes.length < headBytes ? -1 : new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0, true);
    const valueAt = headBytes + padded(length);
    if (!(Number.isInteger(length) && length >= 0 && valueAt <= bytes.length))
      throw damaged('its parts do not fit');
    this.#bytes = bytes.subarray(valueAt);
    this.#shared =
      length === 0
        ? []
        : openHandles(decodeBytes(bytes.subarray(headBytes, headBytes + length)), () =>
            damaged('its handles are none'),
          );
  }

  value(functionOf: FunctionOf = functionAtOnce): unknown {
    return decodeBytes(this.#bytes, { shared: this.#shared, large: [], functionOf });
  }

  /** Imports the modules of functions in it. */
  async valueLater(importModule: (url: string) => Promise<unknown>): Promise<unknown> {
    return decodeLater((functionOf) => this.value(functionOf), importModule);
  }
}

const headBytes = 8;
const noBytes = new Uint8Array(0);
