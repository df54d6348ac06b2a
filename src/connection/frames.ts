/**
 * Messages in a stream of bytes, framed as CPython's multiprocessing does: four bytes of length, signed, most significant
 * first; -1 and eight more bytes where that is not enough.
 */

const longest = 0x7fff_ffff;
const chunkSize = 65_536;
/** A body's memory grows with what has come of it: somebody's claim of a length allocates no more than this, untouched. */
const firstPiece = 16 << 20;

export function frameHead(size: number): Buffer {
  const head = Buffer.allocUnsafe(size > longest ? 12 : 4);
  if (size > longest) {
    head.writeInt32BE(-1, 0);
    head.writeBigUInt64BE(BigInt(size), 4);
  } else {
    head.writeInt32BE(size, 0);
  }
  return head;
}

/**
 * Takes messages out of a stream. Whoever reads the stream puts bytes at `target` from `at` on, and says so by `filled()`.
 *
 *   chunk[from, to)  what has come and is not taken: headers, and messages that fit in the chunk
 *   body             the message that does not, being filled; its header is taken
 */
export class FrameReader {
  #chunk: Buffer | null = null;
  #from = 0;
  #to = 0;
  #body: Buffer | null = null;
  #bodyHas = 0;
  #bodySize = 0;

  /** Whether a message has begun. */
  get isInside(): boolean {
    return this.#body !== null || this.#to > this.#from;
  }

  /** The length of the message that comes next; null: not known yet. -1: no such length can be. */
  get nextSize(): number | null {
    if (this.#body !== null) return this.#bodySize;
    const has = this.#to - this.#from;
    if (has < 4) return null;
    const size = this.#chunk!.readInt32BE(this.#from);
    if (size >= 0) return size;
    if (size !== -1) return -1;
    if (has < 12) return null;
    const long = this.#chunk!.readBigUInt64BE(this.#from + 4);
    return long > BigInt(Number.MAX_SAFE_INTEGER) ? -1 : Number(long);
  }

  /** Whether all of it has come. `nextSize` must be known, and wanted: room is made for it. */
  isWhole(): boolean {
    const size = this.nextSize!;
    if (this.#body === null && this.#headSize + size > chunkSize) this.#beginBody(size);
    return this.#body === null
      ? this.#to - this.#from >= this.#headSize + size
      : this.#bodyHas === this.#bodySize;
  }

  /** The message, which is whole. */
  take(): Buffer {
    if (this.#body !== null) {
      const body = this.#body;
      this.#body = null;
      return body;
    }
    const size = this.nextSize!;
    const start = this.#from + this.#headSize;
    const message = Buffer.from(this.#chunk!.subarray(start, start + size));
    this.#from = start + size;
    if (this.#from === this.#to) this.#from = this.#to = 0;
    return message;
  }

  /** Forgets what has come. */
  discard(): void {
    this.#chunk = this.#body = null;
    this.#from = this.#to = 0;
  }

  /** Where the next bytes of the stream go, from `at` to the end. */
  get target(): Buffer {
    if (this.#body !== null) {
      if (this.#bodyHas === this.#body.length) this.#growBody();
      return this.#body;
    }
    this.#chunk ??= Buffer.allocUnsafeSlow(chunkSize);
    // Only when it must: what is left is the beginning of a message then.
    if (this.#to === chunkSize) {
      this.#chunk.copyWithin(0, this.#from, this.#to);
      this.#to -= this.#from;
      this.#from = 0;
    }
    return this.#chunk;
  }

  /** Read after `target`. */
  get at(): number {
    return this.#body === null ? this.#to : this.#bodyHas;
  }

  filled(count: number): void {
    if (this.#body === null) this.#to += count;
    else this.#bodyHas += count;
  }

  get #headSize(): number {
    return this.#chunk!.readInt32BE(this.#from) === -1 ? 12 : 4;
  }

  #beginBody(size: number): void {
    this.#body = Buffer.allocUnsafeSlow(Math.min(size, firstPiece));
    this.#bodySize = size;
    this.#bodyHas = this.#chunk!.copy(this.#body, 0, this.#from + this.#headSize, this.#to);
    this.#from = this.#to = 0;
  }

  #growBody(): void {
    const grown = Buffer.allocUnsafeSlow(Math.min(this.#bodySize, this.#body!.length * 4));
    this.#body!.copy(grown);
    this.#body = grown;
  }
}
