/** Preloaded by `npx multiproc run`: makes the program able to fork itself, before any of it is loaded. */
import { hasOwnUring, isRun } from './fork-flags.js';
import { stat } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { prepareForks } from '../process/fork/prepare.js';

// Worker threads are given the same options; they cannot fork.
if (isRun && isMainThread) {
  prepareForks(() => {
    stat('/', () => undefined); // starts the threads of libuv's pool
  });
  // It has been read by now, and is nothing of the program's.
  if (!hasOwnUring) delete process.env.UV_USE_IO_URING;
}
