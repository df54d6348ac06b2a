/**
 * The standard streams while modules are loaded. Node makes each at its first use, of the kind its descriptor has then;
 * in a child the descriptor is another one. So plain writers stand in, and children find the untouched getters.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { native } from '../../native/load.js';

const names = ['stdin', 'stdout', 'stderr'] as const;

/** Puts them in their place, with what the requester has as output. Returns what undoes it. */
export function holdStreams(output: number, errors: number): () => void {
  native.fdMove(output, 1);
  native.fdMove(errors, 2);
  const held = names.map((name) => Object.getOwnPropertyDescriptor(process, name)!);
  const standIns = [new Readable({ read: streamEnd }), streamWriter(1), streamWriter(2)];
  names.forEach((name, i) => {
    Object.defineProperty(process, name, { configurable: true, enumerable: true, get: () => standIns[i] });
  });
  return () => {
    names.forEach((name, i) => Object.defineProperty(process, name, held[i]!));
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

/** Writes at once; what nobody reads is lost. */
export function streamWriter(fd: number): Writable {
  return new Writable({
    decodeStrings: false,
    write(chunk: string | Uint8Array, _encoding, done) {
      try {
        if (typeof chunk === 'string') writeSync(fd, chunk);
        else writeSync(fd, chunk);
      } catch {
        // Nobody reads it any more.
      }
      done();
    },
  });
}
