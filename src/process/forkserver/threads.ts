/**
 * Worker threads of forked processes: V8 posts tasks for threads that a forked process does not have (seen on Node 20 and
 * 26). At its natural end a worker thread would wait for them for ever: the addon, loaded into it, makes it end by itself.
 */
import { createRequire, syncBuiltinESMExports } from 'node:module';
import type * as threads from 'node:worker_threads';
import { addonFile } from '../../native/load.js';

let isForked = false;

/** Before anything of the program's can take a reference to Worker. */
export function replaceWorker(): void {
  const module = createRequire(import.meta.url)('node:worker_threads') as { Worker: typeof threads.Worker };
  const { Worker: NodeWorker } = module;
  module.Worker = class Worker extends NodeWorker {
    constructor(file: string | URL, options: threads.WorkerOptions = {}) {
      super(file, isForked ? withAddon(options) : options);
    }
  };
  syncBuiltinESMExports();
}

/** In a child. */
export function mendWorkers(): void {
  isForked = true;
}

function withAddon(options: threads.WorkerOptions): threads.WorkerOptions {
  return { ...options, execArgv: [...(options.execArgv ?? []), '--require', addonFile] };
}
