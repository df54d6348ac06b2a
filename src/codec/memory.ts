/** A Buffer, with the methods behind its write() and toString(). */
export interface Bytes extends Buffer {
  latin1Write(text: string, offset: number, length: number): number;
  ucs2Write(text: string, offset: number, length: number): number;
  latin1Slice(start: number, end: number): string;
  ucs2Slice(start: number, end: number): string;
}

/** Bytes that messages are written to and read from: shared memory, or a scratch buffer of this process. */
export class Memory {
  readonly bytes: Bytes;
  readonly view: DataView;
  readonly ints: Int32Array;
  readonly doubles: Float64Array;

  /** `byteOffset` is a multiple of 8: numbers that are written aligned must be aligned for whoever reads them. */
  constructor(buffer: ArrayBuffer, byteOffset = 0, byteLength = buffer.byteLength - byteOffset) {
    this.bytes = Buffer.from(buffer, byteOffset, byteLength) as Bytes;
    this.view = new DataView(buffer, byteOffset, byteLength);
    this.ints = new Int32Array(buffer, byteOffset, byteLength >>> 2);
    this.doubles = new Float64Array(buffer, byteOffset, byteLength >>> 3);
  }
}

/** So many bytes, rounded up to where the next message may start. */
export const padded = (bytes: number): number => bytes + (-bytes & 7);
