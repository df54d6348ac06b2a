/** Start method spawn: a new Node that runs our entry, with its letter and the arena among its descriptors. */
import { accessSync, constants, statSync } from 'node:fs';
import { ProcessError } from '../errors.js';
import { arenaDescriptor } from '../memory/arena.js';
import { native } from '../native/load.js';
import { encode } from '../transfer/codec.js';
import { pin } from '../transfer/handle.js';
import { entryPath } from './current.js';
import { hasPreloads, inheritedArgv, inheritedExecArgv, inheritedNodeOptions } from './exec-args.js';
import type { LaunchMessage } from './launch.js';
import { Letter } from './letter.js';
import type { CheckedOptions } from './options.js';
import { closeStdio, openStdio, streamsOf } from './stdio.js';
import type { Socket } from 'node:net';

export interface Spawned {
  id: number;
  pid: number;
  letter: Letter;
  unpin: () => void;
  streams: (Socket | null)[];
}

/** Starts it; returns when its image is loaded. After an error nothing is left: no process, no descriptor, no pin. */
export function spawn(message: LaunchMessage, options: CheckedOptions, what: string): Spawned {
  const execArgv = options.execArgv ?? inheritedExecArgv();
  const env = environment(options.env);
  // Preloads are looked up from the working directory, which must then be the parent's until they are loaded.
  const movesLater = options.cwd !== undefined && hasPreloads(execArgv, env.NODE_OPTIONS);
  if (movesLater) message.launch.cwd = checkedDirectory(options.cwd!, what);

  const undo: (() => void)[] = [];
  try {
    const { bytes, shared } = encode(message, '');
    const unpins = shared.map((object) => object[pin]());
    const unpin = (): void => {
      for (const u of unpins.splice(0)) u();
    };
    undo.push(unpin);
    const arena = arenaDescriptor();
    const letter = Letter.write(bytes, !options.detached);
    undo.push(() => {
      letter.close();
    });
    const stdio = openStdio(options.stdio, what);
    undo.push(() => {
      closeStdio(stdio);
    });
    const argv = [process.execPath, ...execArgv, entryPath, ...inheritedArgv()];
    const list = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    checkTexts([...argv, ...list, options.cwd ?? ''], what);
    const self = native.processSelf();
    const doorbell = native.bellCreate();
    const { id, pid } = native.childSpawn(
      process.execPath,
      argv,
      list,
      movesLater ? null : (options.cwd ?? null),
      [...stdio.fds, arena, letter.fd, doorbell, self],
      options.detached,
      doorbell,
      !options.detached,
    );
    return { id, pid, letter, unpin, streams: streamsOf(stdio) };
  } catch (error) {
    for (const step of undo.reverse()) step();
    throw asProcessError(error, options, what);
  }
}

/** A copy: what is changed while the child starts must not matter. */
function environment(given: CheckedOptions['env']): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(given ?? process.env)) {
    if (value !== undefined) env[name] = value;
  }
  if (given === undefined && env.NODE_OPTIONS !== undefined)
    env.NODE_OPTIONS = inheritedNodeOptions(env.NODE_OPTIONS);
  return env;
}

function checkTexts(texts: string[], what: string): void {
  const bad = texts.find((text) => text.includes('\0'));
  if (bad !== undefined) {
    throw new TypeError(`${what}: a NUL character in ${JSON.stringify(bad)} cannot be given to a process`);
  }
}

function checkedDirectory(path: string, what: string): string {
  try {
    if (!statSync(path).isDirectory()) throw Object.assign(new Error('Not a directory'), { code: 'ENOTDIR' });
    accessSync(path, constants.X_OK);
    return path;
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
function asProcessError(error: unknown, options: CheckedOptions, what: string): unknown {
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
