// What a worker is told once, and what it does for each index.
import { workerState } from 'multiproc';
import { prepare, useOneThread } from './prepare.mjs';

/** `images` arrives attached: the same memory as everybody's. */
export function begin(files, images) {
  useOneThread();
  Object.assign(workerState(), { files, images });
}

export async function fill(index) {
  const { files, images } = workerState();
  await prepare(files[index], images.subarray(index).data);
}
