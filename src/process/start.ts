/** Starting a process: what both methods have in common. */
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { ProcessError } from '../errors.js';
import { typeError } from '../native/arguments.js';
import { arenaDescriptor } from '../memory/arena.js';
import { native } from '../native/load.js';
import { encode } from '../transfer/codec.js';
import { pin } from '../transfer/handle.js';
import { hasPreloads, inheritedExecArgv, ownVariables } from './exec-args.js';
import { mayFork } from './forkserver/may-fork.js';
import { forkserverPreload } from './forkserver/preload.js';
import { forkProcess, serverIsReady, surroundings } from './forkserver/client.js';
import type { Given, Launch } from './launch.js';
import { Letter } from './letter.js';
import type { CheckedOptions } from './options.js';
import { spawn } from './spawn.js';
import type { StartMethod } from './start-method.js';
import { closeStdio, openStdio, type StdioPlan, streamsOf } from './stdio.js';
import type { Socket } from 'node:net';

export interface Started {
  id: number;
  pid: number;
  letter: Letter;
  unpin: () => void;
  streams: (Socket | null)[];
}

/** What a new process gets, as descriptors of ours, and its variables. */
export interface Parcel {
  stdio: number[];
  letter: number;
  /** A handle of this process, and what tells of its coming end. */
  parent: number;
  ending: number;
  env: Record<string, string>;
}

/**
 * Starts it. After an error nothing is left: no process, no descriptor, no pin. `patient`: it comes from a forkserver even
 * if that has yet to start; else it is spawned then, as it would be running no later.
 */
export function startProcess(
  launch: Launch,
  given: Given,
  options: CheckedOptions,
  { method, patient: chosen }: { method: StartMethod; patient: boolean },
  what: string,
): Started {
  // Who names modules for the server to load wants it, and shall hear if they fail.
  const patient = chosen || forkserverPreload().length > 0;
  const env = environment(options.env);
  const cwd = options.cwd ?? null;
  const gone = isDirectoryGone();
  if (gone && (cwd === null || !isAbsolute(cwd)))
    throw new ProcessError(
      'ERR_MP_START',
      `${what}: cannot start in this program's own directory, which has been removed; give another as cwd`,
      { errno: 'ENOENT', syscall: 'getcwd' },
    );
  // A server would start here, too.
  const forks =
    method === 'forkserver' && !gone && mayFork(options.execArgv, env) && (patient || waitsForServer(launch));
  // Preloads are looked up from the working directory, which must then be the parent's until they are loaded.
  const movesLater =
    forks ||
    (cwd !== null && !gone && hasPreloads(options.execArgv ?? inheritedExecArgv(), env.NODE_OPTIONS));
  if (movesLater && cwd !== null) checkDirectory(cwd, what);
  if (forks) launch.surroundings = surroundings(env, cwd, what);
  else if (movesLater) launch.cwd = cwd;

  const undo: (() => void)[] = [];
  try {
    arenaDescriptor();
    const { bytes, shared } = encode(given, '');
    const unpins = shared.map((object) => object[pin]());
    const unpin = (): void => {
      for (const u of unpins.splice(0)) u();
    };
    undo.push(unpin);
    const { letter, stdio } = openFor(options, [encode(launch, 'launch').bytes, bytes], undo, what);
    const parcel = {
      stdio: stdio.fds,
      letter: letter.fd,
      parent: native.processSelf(),
      ending: native.processEnding(),
      env,
    };
    const { detached } = options;
    const { id, pid } =
      (forks ? forkProcess(parcel, launch, { detached, patient }, what) : null) ??
      spawn(parcel, options, movesLater ? null : cwd, what);
    return { id, pid, letter, unpin, streams: streamsOf(stdio) };
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw asProcessError(error, options, what);
  }
}

/** A letter and the streams of a process that is about to start; `undo` gets what closes them. */
export function openFor(
  { detached, stdio: items }: CheckedOptions,
  [launch, message]: [launch: Uint8Array, message: Uint8Array],
  undo: (() => void)[],
  what: string,
): { letter: Letter; stdio: StdioPlan } {
  const letter = Letter.write(launch, message, !detached);
  undo.push(() => {
    letter.close();
  });
  const stdio = openStdio(items, what);
  undo.push(() => {
    closeStdio(stdio);
  });
  return { letter, stdio };
}

/** How many processes in a row have not waited for a forkserver that was still starting. */
let hurried = 0;

/**
 * Whether a process is to come from the forkserver. The first one does not wait for a server that is still starting: it would
 * come later than a Node of its own. The next ones do: a burst of Nodes takes longer than all of them from the server.
 */
function waitsForServer(launch: Launch): boolean {
  if (!serverIsReady(launch)) return ++hurried > 1;
  hurried = 0;
  return true;
}

/** A copy: what is changed while the child starts must not matter. */
function environment(given: CheckedOptions['env']): Record<string, string> {
  if (given === undefined) return ownVariables();
  // Not by assignment: there may be a variable named __proto__.
  return Object.fromEntries(
    Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** Of the command line, which a program may change; environments and directories were checked when the process was made. */
export function checkTexts(texts: string[], what: string): void {
  const bad = texts.find((text) => text.includes('\0'));
  if (bad !== undefined) {
    throw typeError(`${what}: a NUL character in ${JSON.stringify(bad)} cannot be given to a process`);
  }
}

/** Whether this program's own directory has been removed. Node itself remembers where it was. */
export function isDirectoryGone(): boolean {
  try {
    realpathSync.native('.');
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

export function checkDirectory(path: string, what: string): void {
  try {
    if (!statSync(path).isDirectory()) throw Object.assign(new Error('Not a directory'), { code: 'ENOTDIR' });
    accessSync(path, constants.X_OK);
  } catch (error) {
    const { code = 'ENOENT', message } = error as NodeJS.ErrnoException;
    throw new ProcessError(
      'ERR_MP_START',
      `${what}: cannot start in directory ${JSON.stringify(path)}: ${message}`,
      {
        errno: code,
        syscall: 'chdir',
        cause: error,
      },
    );
  }
}

/** What the system refused, with what we asked of it. */
export function asProcessError(error: unknown, options: CheckedOptions, what: string): unknown {
  const { errno, syscall, message } = error as { errno?: unknown; syscall?: unknown; message?: string };
  if (error instanceof ProcessError || typeof errno !== 'string' || typeof syscall !== 'string') return error;
  const asked =
    syscall === 'chdir'
      ? `, cwd ${JSON.stringify(options.cwd)}`
      : syscall === 'execve'
        ? `, ${process.execPath}`
        : '';
  return new ProcessError('ERR_MP_START', `${what}: cannot start a process: ${message ?? ''}${asked}`, {
    errno,
    syscall,
    cause: error,
  });
}
