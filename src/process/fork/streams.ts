/**
 * The standard streams of a forked process. Node makes each at its first use, of the kind its descriptor has then; in a
 * child the descriptor may be another one. So uses are noted, and a child makes anew what its parent has used.
 */
import { createReadStream, fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import tty from 'node:tty';
import { streamEnd, streamWriter } from '../forkserver/streams.js';

const names = ['stdin', 'stdout', 'stderr'] as const;
type Name = (typeof names)[number];

const used = new Map<Name, object>();

/** Before anything of the program's runs. */
export function watchStreams(): void {
  for (const name of names) {
    const was = Object.getOwnPropertyDescriptor(process, name)!;
    Object.defineProperty(process, name, {
      ...was,
      get() {
        const stream = was.get!.call(process) as object;
        used.set(name, stream);
        return stream;
      },
    });
  }
}

/** In a child. */
export function renewStreams(): void {
  for (const [name, kept] of used) {
    if (name !== 'stdin') redirect(kept, name);
    let stream: object | undefined;
    Object.defineProperty(process, name, {
      configurable: true,
      enumerable: true,
      get: () => (stream ??= name === 'stdin' ? reader() : writer(names.indexOf(name))),
    });
  }
  // The console keeps the stream it found at its first use, until it has none.
  Object.assign(console, { _stdout: undefined, _stderr: undefined });
}

/** Whoever has kept a stream of the parent's writes to that of the child, which is there when it has been asked for. */
function redirect(kept: object, name: 'stdout' | 'stderr'): void {
  const write = (...given: [never]): boolean => {
    process[name].write(...given);
    return true; // it is written: nobody need wait for 'drain'
  };
  Object.assign(kept, { write });
}

function writer(fd: number): object {
  return tty.isatty(fd)
    ? new tty.WriteStream(fd)
    : Object.assign(streamWriter(fd), { fd, _isStdio: true, destroySoon: () => undefined });
}

function reader(): object {
  if (tty.isatty(0)) return new tty.ReadStream(0);
  const about = fstatSync(0);
  if (about.isFIFO() || about.isSocket()) return new Socket({ fd: 0, readable: true, writable: false });
  if (about.isFile()) return createReadStream('', { fd: 0, autoClose: false });
  return Object.assign(new Readable({ read: streamEnd }), { fd: 0 });
}
