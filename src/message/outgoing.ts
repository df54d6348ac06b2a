/**
 * The one buffer in which records are written on their way to native code, and who writes there.
 *
 * A getter of a value that is being written may put or send something itself: it gets a writer of its own, and what lay in the
 * buffer lies there again afterwards.
 */
import { out } from './buffers.js';
import { MessageWriter } from './writer.js';

/** Records that are to be put when there is room for them. */
export interface Packed {
  bytes: Uint8Array;
  /** Gives up what the records refer to: they are under way, or never will be. */
  readonly settle: () => void;
}

const first = new MessageWriter();
let isTaken = false;

/** Runs what writes to `out`, and hands on what it wrote before it returns. What it has not kept is settled then. */
export function writeOut<T>(body: (writer: MessageWriter) => T): T {
  if (isTaken) return writeInside(body);
  isTaken = true;
  try {
    return body(first);
  } finally {
    isTaken = false;
    first.settle();
  }
}

function writeInside<T>(body: (writer: MessageWriter) => T): T {
  const writer = new MessageWriter();
  const saved = new Uint8Array(out.bytes);
  try {
    return body(writer);
  } finally {
    writer.settle();
    out.bytes.set(saved);
  }
}

/** The records in `out` from one byte to another, for later. */
export function pack(writer: MessageWriter, from: number, to: number): Packed {
  return { bytes: new Uint8Array(out.bytes.subarray(from, to)), settle: writer.keep() };
}
