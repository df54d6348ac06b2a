/** Bytes that messages are written to and read from: shared memory, or a scratch buffer of this process. */
export class Memory {
  /** A Buffer for its latin1 and utf16 methods, which cost a third of TextEncoder and TextDecoder. */
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly ints: Int32Array;
  readonly doubles: Float64Array;

  /** `byteOffset` is a multiple of 8: numbers that are written aligned must be aligned for whoever reads them. */
  constructor(buffer: ArrayBuffer, byteOffset = 0, byteLength = buffer.byteLength - byteOffset) {
    this.bytes = Buffer.from(buffer, byteOffset, byteLength);
    this.view = new DataView(buffer, byteOffset, byteLength);
    this.ints = new Int32Array(buffer, byteOffset, byteLength >>> 2);
    this.doubles = new Float64Array(buffer, byteOffset, byteLength >>> 3);
  }
}
