/** What a child writes is written when the call returns: process.exit() and uncaught errors lose nothing of it. */
import { fstatSync, writeSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { native } from '../native/load.js';
import { onWindows } from '../native/system.js';

const names = ['stdout', 'stderr'] as const;
type Piped = NodeJS.WriteStream & {
  _type?: string;
  _handle?: { setBlocking?: (blocking: boolean) => void } | null;
};

/**
 * Node writes to a pipe what fits into it, and the rest later, if there is a later. Streams are made at their first use.
 *
 * It is not enough to make the descriptor one that blocks: who else has the same socket, or the same opening of a pipe, may
 * undo that at any time. (Children open pipes anew where they can, for what is written past the stream: see the addon's
 * own_pipe().)
 */
export function writeAtOnce(): void {
  if (onWindows) return; // Node does it itself there
  for (const name of names) {
    const own = Object.getOwnPropertyDescriptor(process, name);
    const make = own?.get?.bind(process) as (() => Piped) | undefined;
    if (own === undefined || make === undefined) continue;
    const get = (): Piped => {
      Object.defineProperty(process, name, own);
      const stream = make();
      if (stream._type === 'pipe') writesFully(stream, names.indexOf(name) + 1);
      return stream;
    };
    Object.defineProperty(process, name, { ...own, get });
  }
}

function writesFully(stream: Piped, fd: number): void {
  if (fstatSync(fd).isFIFO()) stream._handle?.setBlocking?.(true);
  let bytesWritten = stream.bytesWritten;
  const write = writer(fd, (bytes) => (bytesWritten += bytes));
  Object.assign(stream, { _write: write, _writev: null });
  Object.defineProperty(stream, 'bytesWritten', { configurable: true, get: () => bytesWritten });
}

/** What a stream writes with to a descriptor that may say at any time that it is full. */
export function writer(fd: number, count?: (bytes: number) => void): Writable['_write'] {
  return (chunk: string | Uint8Array, encoding, done) => {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
    count?.(bytes.byteLength);
    try {
      writeFully(fd, bytes);
    } catch (error) {
      done(error as Error);
      return;
    }
    done();
  };
}

/** Returns when all of it is written. */
export function writeFully(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength;) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      native.fdAwaitSpace(fd);
    }
  }
}
