// The same work in three ways. Each says how many milliseconds it took, with all modules loaded and one image done before.
import { Pool } from 'multiproc';
import { prepare, useOneThread } from './prepare.mjs';
import { begin, fill } from './worker.mjs';

export async function oneByOne(files, images) {
  return inLanes(1, files, images);
}

/** What sharp offers by itself: it decodes in threads of libuv's. All else is this thread's. */
export async function severalAtOnce(files, images, count) {
  return inLanes(count, files, images);
}

export async function byPool(files, images, workers) {
  const pool = new Pool({ processes: workers, initializer: begin, initargs: [files, images] });
  try {
    await pool.broadcast(fill, 0);
    return await timed(() => pool.map(fill, files.keys(), { chunksize: 1 }));
  } finally {
    await pool.terminate();
  }
}

async function inLanes(count, files, images) {
  useOneThread();
  const prepareAt = (i) => prepare(files[i], images.subarray(i).data);
  await prepareAt(0);
  const left = files.keys();
  const lane = async () => {
    for (const i of left) await prepareAt(i);
  };
  return timed(() => Promise.all(Array.from({ length: count }, lane)));
}

async function timed(work) {
  const began = performance.now();
  await work();
  return performance.now() - began;
}
