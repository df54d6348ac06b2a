/**
 * Preloaded by `npx multiproc run`, in the main thread: makes the program able to fork itself, before any of it is loaded. The whole package
 * is compiled to the last function, as each child would compile again what its parent has not.
 */
import { stat } from 'node:fs';
import { createRequire } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { hasOwnUring, isRun } from './fork-flags.js';

if (isRun) {
  const require = createRequire(import.meta.url);
  setFlagsFromString('--no-lazy');
  const { prepareForks } =
    require('../process/fork/prepare.js') as typeof import('../process/fork/prepare.js');
  setFlagsFromString('--lazy');
  prepareForks(() => {
    stat('/', () => undefined); // starts the threads of libuv's pool
  });
  // It has been read by now, and is nothing of the program's.
  if (!hasOwnUring) delete process.env.UV_USE_IO_URING;
}
