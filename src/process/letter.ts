/**
 * The letter: one anonymous file per process, through which the parent gives it its work and gets back how it went.
 *
 *   offset  bytes  field    writer    rule
 *        0      4  magic    parent
 *        4      4  version  parent
 *        8      4  state    both      goes up only; the child writes it after everything it stands for
 *       12      4  follows  parent    1: the child ends with its parent
 *       16      8  length   both      of the message that belongs to the state
 *       24      8  launch   parent    of that, the first so many bytes say who the child is: they can be read whatever follows
 *       64         message  both
 *
 * A death between any two writes leaves the state before it, with a message that is complete.
 */
import { MultiprocessingError } from '../errors.js';
import { native } from '../native/load.js';

const magic = 0x544c504d;
const version = 2;
const headerSize = 64;

// Of whichever letter is looked at. Not Buffers: their functions are JavaScript, and what runs in a forked process is
// memory of its own.
const header = new Uint8Array(headerSize);
const fields = new DataView(header.buffer);
const lengthField = header.subarray(16, 24);
const stateField = header.subarray(8, 12);

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

  static write(launch: Uint8Array, message: Uint8Array, follows: boolean): Letter {
    const letter = new Letter(native.fileCreate('multiproc-letter'));
    try {
      header.fill(0);
      fields.setUint32(0, magic, true);
      fields.setUint32(4, version, true);
      fields.setUint32(12, follows ? 1 : 0, true);
      fields.setFloat64(16, launch.byteLength + message.byteLength, true);
      fields.setFloat64(24, launch.byteLength, true);
      native.fileWrite(letter.fd, header, 0);
      native.fileWrite(letter.fd, launch, headerSize);
      native.fileWrite(letter.fd, message, headerSize + launch.byteLength);
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
    return this.#header().getUint32(8, true);
  }

  get follows(): boolean {
    return this.#header().getUint32(12, true) === 1;
  }

  read(): Uint8Array {
    const length = this.#header().getFloat64(16, true);
    if (!Number.isSafeInteger(length) || length < 0 || headerSize + length > native.fileSize(this.fd)) {
      throw damaged('its message is longer than the file');
    }
    const message = new Uint8Array(length);
    native.fileRead(this.fd, message, headerSize);
    return message;
  }

  /** The child: what it is, and what it has been given. */
  readLaunch(): [launch: Uint8Array, message: Uint8Array] {
    const bytes = this.read();
    const length = fields.getFloat64(24, true);
    if (!(length >= 0 && length <= bytes.byteLength)) throw damaged('its parts are longer than it is');
    return [bytes.subarray(0, length), bytes.subarray(length)];
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
    fields.setFloat64(16, length, true);
    native.fileWrite(this.fd, lengthField, 16);
    fields.setUint32(8, state, true);
    native.fileWrite(this.fd, stateField, 8); // last: from here on it is so
  }

  #header(): DataView {
    native.fileRead(this.fd, header, 0);
    if (fields.getUint32(0, true) !== magic || fields.getUint32(4, true) !== version) {
      throw damaged('it is not a letter of this version of multiproc');
    }
    return fields;
  }
}

function damaged(why: string): MultiprocessingError {
  return new MultiprocessingError('ERR_MP_DAMAGED', `The letter of a process cannot be read: ${why}`);
}
