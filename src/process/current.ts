/** Which process this is. */
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ProcessError } from '../errors.js';
import { native } from '../native/load.js';
import type { Identity } from './launch.js';

/** The script a child process runs. */
export const entryPath = fileURLToPath(new URL('../entry/worker.js', import.meta.url));
/** The script a forkserver runs. */
export const forkserverPath = fileURLToPath(new URL('../entry/forkserver.js', import.meta.url));
/** A module of no consequence. */
export const warmUrl = new URL('../entry/warm.js', import.meta.url).href;

// The addon knows in worker threads of a child, the command line while modules are loaded before the child's entry.
const text = native.processIdentity();
let identity = text === '' ? null : (JSON.parse(text) as Identity);

/**
 * Whether this process was not started by multiproc, and this is no thread of a ThreadPool. Guards what only the program itself
 * should do.
 */
export let isMainProcess = identity === null && !runsEntry();

/** Null in the main process. */
export function currentIdentity(): Identity | null {
  return identity;
}

/** The entry of a child, before it imports anything of the program's. */
export function becomeChild(as: Identity): void {
  identity = as;
  isMainProcess = false;
  isServer = false;
  native.processIdentity(JSON.stringify(as));
}

/** A forkserver, which is nobody that programs know. */
export function becomeServer(): void {
  isServer = true;
  isMainProcess = false;
}

/** A thread of a ThreadPool: it may import the main module once more. */
export function becomePoolThread(): void {
  isMainProcess = false;
}

let isServer = false;
let importing: string | null = null;

/** Whether a process made here may be started later: nothing need be prepared for others. */
export function mayPrepare(): boolean {
  return !isServer && importing === null;
}

/** Runs `load`, and refuses to start processes meanwhile: a program that does so while it is imported would never end. */
export async function whileImporting<T>(module: string, load: () => Promise<T>): Promise<T> {
  importing = module;
  try {
    return await load();
  } finally {
    importing = null;
  }
}

/** Throws ERR_MP_UNGUARDED while the module of this process's target is being imported. */
export function checkMayStart(what: string): void {
  if (isServer && importing === null)
    throw new ProcessError(
      'ERR_MP_STATE',
      `${what}: a process cannot be started by a module that is preloaded`,
    );
  if (importing === null) return;
  throw new ProcessError(
    'ERR_MP_UNGUARDED',
    `${what}: no process or thread can be started while ${importing} is being imported by one, to find its target ` +
      'there. Guard what only the main program should do: if (mp.isMainProcess) { … }',
  );
}

/** Throws ERR_MP_DAEMON in a process that was started as a daemon. */
export function checkMayHaveChildren(what: string): void {
  if (identity?.childless !== true) return;
  throw new ProcessError(
    'ERR_MP_DAEMON',
    `${what}: ${identity.name} is a daemon, which is ended without waiting for its children, so it may start none. ` +
      `Start ${identity.name} without daemon: true, or have its parent start this`,
  );
}

function runsEntry(): boolean {
  const script = process.argv[1];
  if (script === undefined) return false;
  try {
    const entries = [entryPath, forkserverPath];
    return entries.includes(script) || entries.map((e) => realpathSync(e)).includes(realpathSync(script));
  } catch {
    return false;
  }
}
