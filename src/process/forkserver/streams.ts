/**
 * The standard streams while modules are loaded. Node makes each at its first use, of the kind its descriptor has then;
 * in a child the descriptor is another one. So plain writers stand in, and children find the untouched getters.
 */
import { closeSync, openSync } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { isatty, WriteStream } from 'node:tty';
import { native } from '../../native/load.js';
import { writer } from '../output.js';

const names = ['stdin', 'stdout', 'stderr'] as const;

/** Whether the streams are held: who writes is the server, and what nobody reads is lost then. */
let held = false;

/** Puts them in their place, with what the requester has as output. Returns what undoes it. */
export function holdStreams(output: number, errors: number): () => void {
  native.fdMove(output, 1);
  native.fdMove(errors, 2);
  held = true;
  const getters = names.map((name) => Object.getOwnPropertyDescriptor(process, name)!);
  const standIns = [new Readable({ read: streamEnd }), streamWriter(1), streamWriter(2)];
  names.forEach((name, i) => {
    Object.defineProperty(process, name, { configurable: true, enumerable: true, get: () => standIns[i] });
  });
  return () => {
    held = false;
    names.forEach((name, i) => Object.defineProperty(process, name, getters[i]!));
    // The console keeps the stream it found at its first use, until it has none.
    Object.assign(console, { _stdout: undefined, _stderr: undefined });
    leaveStreams();
  };
}

/** A server keeps nobody's pipe open. */
function leaveStreams(): void {
  const nothing = openSync('/dev/null', 'r+');
  for (const fd of [0, 1, 2]) native.fdMove(openSync('/dev/null', 'r+'), fd);
  closeSync(nothing);
}

/** Of a Readable that is empty. */
export function streamEnd(this: Readable): void {
  this.push(null);
}

/** What a stream of a terminal has beside what every stream has. */
const ofTerminals = [
  'columns', 'rows', 'getColorDepth', 'hasColors', 'getWindowSize', 'clearLine', 'cursorTo', 'moveCursor',
  'clearScreenDown',
] as const; // prettier-ignore

/**
 * Writes at once, to whatever the descriptor is by then: who keeps it while its module is preloaded has the child's stream
 * in a child.
 */
export function streamWriter(fd: number): Writable {
  const write = writer(fd);
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, encoding, done) {
      write.call(stream, chunk, encoding, (error) => {
        done(held ? null : error);
      });
    },
  });
  Object.assign(stream, { fd, _isStdio: true });
  Object.defineProperty(stream, 'isTTY', { configurable: true, get: () => isatty(fd) || undefined });
  for (const key of ofTerminals) {
    const get = (): unknown => {
      if (!isatty(fd)) return undefined;
      const real: object = held ? WriteStream.prototype : process[names[fd]!];
      const value = (real as Record<string, unknown>)[key];
      return typeof value === 'function' ? (value.bind(held ? stream : real) as unknown) : value;
    };
    Object.defineProperty(stream, key, { configurable: true, get });
  }
  return stream;
}
