/**
 * The letter: one anonymous file per process, through which the parent gives it its work and gets back how it went.
 *
 *   offset  bytes  field    writer    rule
 *        0      4  magic    parent
 *        4      4  version  parent
 *        8      4  state    both      goes up only; the child writes it after everything it stands for
 *       12      4  follows  parent    1: the child ends with its parent
 *       16      8  length   both      of the message that belongs to the state
 *       64         message  both
 *
 * A death between any two writes leaves the state before it, with a message that is complete.
 */
import { MultiprocessingError } from '../errors.js';
import { native } from '../native/load.js';

const magic = 0x544c504d;
const version = 1;
const headerSize = 64;

export const letterState = {
  sent: 0,
  /** The child has opened everything that was in it. */
  attached: 1,
  returned: 2,
  threw: 3,
} as const;

export class Letter {
  readonly fd: number;

  private constructor(fd: number) {
    this.fd = fd;
  }

  static write(message: Uint8Array, follows: boolean): Letter {
    const letter = new Letter(native.fileCreate('multiproc-letter'));
    try {
      const header = Buffer.alloc(headerSize);
      header.writeUInt32LE(magic, 0);
      header.writeUInt32LE(version, 4);
      header.writeUInt32LE(follows ? 1 : 0, 12);
      header.writeDoubleLE(message.byteLength, 16);
      native.fileWrite(letter.fd, header, 0);
      native.fileWrite(letter.fd, message, headerSize);
    } catch (error) {
      letter.close();
      throw error;
    }
    return letter;
  }

  static open(fd: number): Letter {
    const letter = new Letter(fd);
    letter.#header();
    return letter;
  }

  get state(): number {
    return this.#header().readUInt32LE(8);
  }

  get follows(): boolean {
    return this.#header().readUInt32LE(12) === 1;
  }

  read(): Buffer {
    const length = this.#header().readDoubleLE(16);
    if (!Number.isSafeInteger(length) || length < 0 || headerSize + length > native.fileSize(this.fd)) {
      throw damaged('its message is longer than the file');
    }
    const message = Buffer.allocUnsafeSlow(length);
    native.fileRead(this.fd, message, headerSize);
    return message;
  }

  /** The child: everything is open, the parent may let go of it. */
  attached(): void {
    native.fileResize(this.fd, headerSize);
    this.#commit(0, letterState.attached);
  }

  /** The child: this is how it went. */
  settle(message: Uint8Array, state: number): void {
    native.fileWrite(this.fd, message, headerSize);
    this.#commit(message.byteLength, state);
  }

  close(): void {
    native.fdClose(this.fd);
  }

  #commit(length: number, state: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(length, 0);
    native.fileWrite(this.fd, bytes, 16);
    bytes.writeUInt32LE(state, 0);
    native.fileWrite(this.fd, bytes.subarray(0, 4), 8); // last: from here on it is so
  }

  #header(): Buffer {
    const header = Buffer.alloc(headerSize);
    native.fileRead(this.fd, header, 0);
    if (header.readUInt32LE(0) !== magic || header.readUInt32LE(4) !== version) {
      throw damaged('it is not a letter of this version of multiproc');
    }
    return header;
  }
}

function damaged(why: string): MultiprocessingError {
  return new MultiprocessingError('ERR_MP_DAMAGED', `The letter of a process cannot be read: ${why}`);
}
