/**
 * Connections, and whatever else has recv and send or get and put, as streams of Node's and of the web.
 *
 * A stream does not own what it was made of: who made that closes it. A stream that is destroyed takes no further message.
 */
import { Readable, Writable } from 'node:stream';
import { ReadableStream, WritableStream } from 'node:stream/web';
import { ShutDownError } from '../errors.js';
import { typeError } from '../native/arguments.js';
import { isEnd } from './ended.js';

export interface StreamOptions {
  /** Chunks are the bytes of messages instead of values. Of connections only. */
  bytes?: boolean | undefined;
}
export interface ReadableStreamOptions extends StreamOptions {
  /** How many messages may be received ahead of who reads the stream. 1 by default; with `bytes`, how many bytes. */
  highWaterMark?: number | undefined;
}
export interface WebStreams {
  readable: ReadableStream;
  writable: WritableStream;
}

interface Waiting {
  signal: AbortSignal;
}
interface ByteSource {
  recvBytes?(maxLength: null, options: Waiting): Promise<Uint8Array>;
}
interface ByteSink {
  sendBytes?(data: Uint8Array, options: Waiting): Promise<void>;
}
/** What a readable stream can be made of. */
export type Source = ByteSource &
  ({ recv(options: Waiting): Promise<unknown> } | { get(options: Waiting): Promise<unknown> });
/** What a writable stream can be made of. */
export type Sink = ByteSink & { endSending?(): void } & (
    | { send(value: unknown, options: Waiting): Promise<void> }
    | { put(value: unknown, options: Waiting): Promise<unknown> }
  );

type Take = (options: Waiting) => Promise<unknown>;
type Give = (value: unknown, options: Waiting) => Promise<unknown>;

function takerOf(source: Source, bytes: boolean, what: string): Take {
  if (bytes) {
    if (source.recvBytes === undefined) throw typeError(`${what}: only connections have messages of bytes`);
    return (options) => source.recvBytes!(null, options);
  }
  return 'recv' in source ? (options) => source.recv(options) : (options) => source.get(options);
}

function giverOf(sink: Sink, bytes: boolean, what: string): Give {
  if (bytes) {
    if (sink.sendBytes === undefined) throw typeError(`${what}: only connections have messages of bytes`);
    return (value, options) => sink.sendBytes!(value as Uint8Array, options);
  }
  return 'send' in sink
    ? (value, options) => sink.send(value, options)
    : (value, options) => sink.put(value, options);
}

/** Whether nothing more will come, and nothing was lost. */
function isOver(error: unknown): boolean {
  return error instanceof ShutDownError || isEnd(error);
}

/** What is received, as a stream: takes a message when the stream is read, and ends when the other side has closed. */
export function toReadable(source: Source, options: ReadableStreamOptions = {}): Readable {
  const { bytes = false } = options;
  const take = takerOf(source, bytes, 'toReadable()');
  const ending = new AbortController();
  return new Readable({
    objectMode: !bytes,
    highWaterMark: options.highWaterMark ?? (bytes ? undefined : 1),
    read() {
      take({ signal: ending.signal }).then(
        (value) => {
          if (value === null) {
            this.destroy(
              typeError('toReadable(): a stream cannot carry null, which is its end: use recv(), or toWeb()'),
            );
          } else if (bytes && (value as Uint8Array).length === 0) {
            this._read(0); // a stream of bytes has no empty chunks
          } else {
            this.push(value);
          }
        },
        (error: unknown) => {
          if (ending.signal.aborted) return;
          if (isOver(error)) this.push(null);
          else this.destroy(error as Error);
        },
      );
    },
    destroy(error, done) {
      ending.abort();
      done(error);
    },
  });
}

/** A stream whose chunks are sent, each when the one before it has gone. Its end is an end of stream for the other side. */
export function toWritable(sink: Sink, { bytes = false }: StreamOptions = {}): Writable {
  const give = giverOf(sink, bytes, 'toWritable()');
  const ending = new AbortController();
  return new Writable({
    objectMode: !bytes,
    highWaterMark: bytes ? undefined : 1,
    write(chunk: unknown, _encoding, done) {
      give(chunk, { signal: ending.signal }).then(() => {
        done();
      }, done);
    },
    final(done) {
      try {
        sink.endSending?.();
        done();
      } catch (error) {
        done(error as Error);
      }
    },
    destroy(error, done) {
      ending.abort();
      done(error);
    },
  });
}

/** Both as web streams. */
export function toWeb(of: Source & Sink, options: ReadableStreamOptions = {}): WebStreams {
  const { bytes = false } = options;
  const take = takerOf(of, bytes, 'toWeb()');
  const give = giverOf(of, bytes, 'toWeb()');
  const endOfReading = new AbortController();
  const endOfWriting = new AbortController();
  const readable = new ReadableStream(
    {
      async pull(controller) {
        try {
          controller.enqueue(await take({ signal: endOfReading.signal }));
        } catch (error) {
          if (endOfReading.signal.aborted) return;
          if (isOver(error)) controller.close();
          else throw error;
        }
      },
      cancel(reason) {
        endOfReading.abort(reason);
      },
    },
    // Nothing is taken before somebody reads.
    { highWaterMark: bytes ? 0 : (options.highWaterMark ?? 0) },
  );
  const writable = new WritableStream({
    async write(chunk) {
      await give(chunk, { signal: endOfWriting.signal });
    },
    close() {
      of.endSending?.();
    },
    abort(reason) {
      endOfWriting.abort(reason);
    },
  });
  return { readable, writable };
}
