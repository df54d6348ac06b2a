// Which files: the images of a directory, or landscapes that are drawn for this run.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'multiproc';
import { drawLandscape } from './landscape.mjs';

const drawnMost = 8;

export function imagesIn(directory) {
  const names = readdirSync(directory).filter((name) => /\.(jpe?g|png|webp|avif|tiff?|gif)$/i.test(name));
  if (names.length === 0) throw new Error(`${directory} has no images`);
  return names.sort().map((name) => join(directory, name));
}

/** Twelve megapixels each, no more than eight of them; they go when the program ends. */
export async function drawnImages(wanted, workers) {
  const directory = mkdtempSync(join(tmpdir(), 'landscapes-'));
  process.once('exit', () => rmSync(directory, { recursive: true }));
  const count = Math.min(wanted, drawnMost);
  const calls = Array.from({ length: count }, (_, i) => [join(directory, `${i}.jpg`), i]);
  const pool = new Pool(workers);
  try {
    await pool.starmap(drawLandscape, calls, { chunksize: 1 });
  } finally {
    await pool.terminate();
  }
  return calls.map(([file]) => file);
}
