/** The addon: build/Release of a checkout first, else the prebuilt file for this platform. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MultiprocessingError } from '../errors.js';
import type { ArenaBinding } from './arena-binding.js';
import type { ForkBinding } from './fork-binding.js';
import type { MessageBinding } from './message-binding.js';
import type { MonitorBinding } from './monitor-binding.js';
import type { ProcessBinding } from './process-binding.js';
import type { SegmentBinding } from './segment-binding.js';
import type { SocketBinding } from './socket-binding.js';

export type Binding = ArenaBinding &
  ForkBinding &
  MessageBinding &
  MonitorBinding &
  ProcessBinding &
  SegmentBinding &
  SocketBinding;

const require = createRequire(import.meta.url);
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** The file it was loaded from. */
export let addonFile = '';

/** This system as its user would name it: "linux arm64 with glibc 2.31". */
function system(): string {
  const name = `${process.platform} ${process.arch}`;
  if (process.platform !== 'linux') return name;
  const report = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  const glibc = report.header.glibcVersionRuntime;
  return `${name} with ${glibc === undefined ? 'another libc than glibc' : `glibc ${glibc}`}`;
}

function load(): Binding {
  const addon = require('node-gyp-build') as { resolve(dir: string): string };
  const remedy = `Compile it, with a C++20 compiler and Python: node ${JSON.stringify(join(root, 'native', 'build.mjs'))}`;
  const failed = (what: string, cause: unknown): MultiprocessingError =>
    new MultiprocessingError('ERR_MP_ADDON', `multiproc: ${what} (Node ${process.version}). ${remedy}`, {
      cause,
    });
  let file: string;
  try {
    file = addon.resolve(root);
  } catch (cause) {
    throw failed(`the package has no compiled addon for ${system()}`, cause);
  }
  addonFile = file;
  try {
    return require(file) as Binding;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw failed(`the compiled addon ${file} does not load on ${system()}: ${reason}`, cause);
  }
}

export const native: Binding = load();
