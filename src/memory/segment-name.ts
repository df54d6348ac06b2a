/** The names of named segments: `x`, `shm://x` and `file://path`. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rangeError, show, typeError } from '../native/arguments.js';

/** The longest name of a file, in bytes. */
const nameBytesMax = 255;
const pathBytesMax = 4095;

export interface SegmentPlace {
  /** As the user knows it: without `shm://`; files with `file://` and their absolute path. */
  readonly label: string;
  /** As the system knows it. */
  readonly name: string;
  readonly isPath: boolean;
}

function checkText(text: string, given: string, what: string): void {
  if (text === '') throw rangeError(`${what}: the name is empty`);
  if (text.includes('\0')) throw rangeError(`${what}: ${show(given)}: a name cannot contain a NUL character`);
  if (Buffer.from(text).toString() !== text) {
    throw rangeError(`${what}: ${show(given)}: a name cannot contain half a surrogate pair`);
  }
}

/** @param prefix what the class puts in front of names in shared memory, where everybody's names are */
export function parseName(name: unknown, prefix: string, what: string): SegmentPlace {
  if (name instanceof URL && name.protocol === 'file:')
    return parsePath(fileURLToPath(name), name.href, what);
  if (typeof name !== 'string') throw typeError(`${what}: the name must be a string, not ${show(name)}`);
  if (name.startsWith('file://')) return parsePath(name.slice('file://'.length), name, what);
  const text = name.startsWith('shm://') ? name.slice('shm://'.length) : name;
  return parseShared(text, prefix, what, "; a file's path is given as 'file://path'");
}

/** A path is taken as it stands: nothing in it is decoded. */
function parsePath(path: string, given: string, what: string): SegmentPlace {
  checkText(path, given, what);
  if (path.endsWith('/'))
    throw rangeError(`${what}: ${show(given)} names a directory; give the path of a file`);
  const absolute = resolve(path);
  if (Buffer.byteLength(absolute) > pathBytesMax) {
    throw rangeError(`${what}: the path is longer than ${pathBytesMax} bytes`);
  }
  return { label: `file://${absolute}`, name: absolute, isPath: true };
}

/** @param remedy what a name with a slash should have been, where there is such a thing */
export function parseShared(name: unknown, prefix: string, what: string, remedy = ''): SegmentPlace {
  if (typeof name !== 'string') throw typeError(`${what}: the name must be a string, not ${show(name)}`);
  checkText(name, name, what);
  if (name.includes('/')) {
    throw rangeError(`${what}: ${show(name)}: a name cannot contain a slash${remedy}`);
  }
  if (prefix === '' && (name === '.' || name === '..'))
    throw rangeError(`${what}: ${show(name)} cannot be a name`);
  const most = nameBytesMax - prefix.length;
  const bytes = Buffer.byteLength(name);
  if (bytes > most)
    throw rangeError(`${what}: the name is ${bytes} bytes long; at most ${most} are possible`);
  return { label: name, name: prefix + name, isPath: false };
}
