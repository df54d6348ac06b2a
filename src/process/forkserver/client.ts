/** The requester's side of a forkserver: starting it, telling it what to load, and asking it for processes. */
import { fstatSync, openSync, readFileSync } from 'node:fs';
import { devNull } from 'node:os';
import { resolve } from 'node:path';
import { InterruptedError, ProcessError } from '../../errors.js';
import { arenaDescriptor } from '../../memory/arena.js';
import { native } from '../../native/load.js';
import { collectLater, reapEnded } from '../child.js';
import { entryPath, forkserverPath, mayPrepare } from '../current.js';
import { inheritedArgv, inheritedExecArgv, ownVariables } from '../exec-args.js';
import type { Launch, Surroundings } from '../launch.js';
import type { CheckedOptions } from '../options.js';
import { forkFlags } from '../fork-flags.js';
import { checkTexts, isDirectoryGone, type Parcel } from '../start.js';
import { areOpen, ownOutputs } from '../stdio.js';
import { currentUmask } from './surroundings.js';
import { mayFork } from './may-fork.js';
import { forkserverPreload, mainModule } from './preload.js';

/** What a server is told: see server.ts. */
export interface Told {
  /** Process.argv and execArgv as its children have them. */
  argv: string[];
  execArgv: string[];
  modules: string[];
  /** Which of them is only there because it is the main module: it need not be loaded beforehand. */
  main: string | null;
}

const attempts = 2;

/** What the server of `generation` was told to load, as far as we know; and what of it we have named ourselves. */
let told = { generation: 0, modules: new Set<string>(), own: new Set<string>() };
/** The variables it was started with. */
let serverEnv: Record<string, string> = {};
/** Set when the main module cannot be loaded by a server: it keeps something open, or starts threads. */
let mainUnfit = false;

/** Starts the server if there is none, without waiting for it. What fails is left to start(). */
export function prepareToFork({ execArgv, env, stdio }: CheckedOptions): void {
  if (native.forkserverGeneration() !== 0 || !mayPrepare() || !mayFork(execArgv, env ?? process.env)) return;
  // What start() will refuse: a server could get the descriptor's number, and has no directory to start in.
  if (!areOpen(stdio) || isDirectoryGone()) return;
  try {
    serverGeneration();
  } catch {
    // start() tries again, and says what is wrong.
  }
}

/** In a forked child, which has a channel to its server. */
export function adoptServer(channel: number, modules: Iterable<string>): void {
  native.forkserverAdopt(channel);
  told = { generation: native.forkserverGeneration(), modules: new Set(modules), own: new Set() };
}

export function surroundings(env: Record<string, string>, cwd: string | null, what: string): Surroundings {
  const argv = [entryPath, ...inheritedArgv()];
  // Of this process, not of the server, which may be anywhere.
  const directory = cwd === null ? process.cwd() : resolve(cwd);
  checkTexts(argv, what);
  return { argv, env: equal(env, serverEnv) ? null : env, cwd: directory, umask: currentUmask() };
}

/** In a server, whose children ask it in their turn. */
export function rememberVariables(env: Record<string, string>): void {
  serverEnv = env;
}

function equal(a: Record<string, string>, b: Record<string, string>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

/** Whether a process of this kind would come at once. A server there is not is started, and told what to load. Never waits. */
export function serverIsReady(launch: Launch): boolean {
  let generation = 0;
  try {
    generation = serverGeneration();
    return tell(generation, launch, false) !== 'busy' && native.forkserverReady();
  } catch (error) {
    // The next start has another server; what keeps one from being started keeps this process, too, and is its error.
    if (isGone(error)) native.forkserverDrop(generation);
    return false;
  }
}

/** A process of the server's. A server that is gone is replaced, once; or it is null, where another method will do. */
export function forkProcess(
  { stdio, letter, parent, ending }: Parcel,
  launch: Launch,
  { detached, patient }: { detached: boolean; patient: boolean },
  what: string,
): { id: number; pid: number } | null {
  for (let attempt = 1; ; attempt++) {
    let generation = 0;
    try {
      generation = serverGeneration();
      const main = tell(generation, launch, true) === 'main';
      const doorbell = native.bellCreate();
      const answer = native.childFork(
        [...stdio, letter, doorbell, parent, ending],
        detached,
        doorbell,
        !detached,
        patient,
      );
      if (typeof answer !== 'string') return answer;
      // It will never fork again; the next start has another one try.
      native.forkserverDrop(generation);
      // What others have named, who share the server, is no error of ours: a new one has not loaded it.
      const isOurs = attempt >= attempts || [...told.own].some((module) => answer.includes(module));
      if (isOurs && !main) throw new ProcessError('ERR_MP_PRELOAD', `${what}: ${answer}`);
      if (isOurs) mainUnfit = true;
      else if (!patient) return null;
    } catch (error) {
      if (!isGone(error)) throw error;
      native.forkserverDrop(generation);
      reapEnded();
      if ((error as { errno?: string }).errno === 'EINTR')
        throw new InterruptedError(`${what}: a signal arrived while waiting`);
      if (!patient) return null;
      if (attempt === attempts) throw notToBeHad(what, error);
    }
  }
}

function isGone(error: unknown): boolean {
  return goneBy.has((error as { errno?: string }).errno ?? '');
}

/**
 * How a channel says that its server is gone, that it serves another user than we are by now (or one who may do more), that
 * it has no time, or that we left it.
 */
const goneBy = new Set(['EPIPE', 'ECONNRESET', 'EPERM', 'EPROTO', 'ETIMEDOUT', 'EINTR']);

function notToBeHad(what: string, cause: unknown): ProcessError {
  return new ProcessError(
    'ERR_MP_START',
    `${what}: the forkserver ends before it has started a process; what it printed says why`,
    { cause },
  );
}

function serverGeneration(): number {
  const generation = native.forkserverGeneration();
  if (generation !== 0) return generation;
  const env = ownVariables();
  const id = native.forkserverLaunch(
    process.execPath,
    [process.execPath, ...inheritedExecArgv(), ...forkFlags, forkserverPath].concat(
      env.UV_USE_IO_URING ?? [],
    ),
    Object.entries({ ...env, UV_USE_IO_URING: '0' }).map(([name, value]) => `${name}=${value}`),
    [-1, ...ownOutputs(() => -1), arenaDescriptor()],
  );
  if (id !== null) collectLater(id);
  serverEnv = env;
  const started = native.forkserverGeneration();
  load(started, [...forkserverPreload()], null, false);
  return started;
}

/**
 * Has it load what this start needs. 'main': the main module is among what it has loaded for its own sake. 'busy': another
 * thread waits for an answer, which only who may `wait` does too.
 */
function tell(generation: number, { target, job }: Launch, wait: boolean): 'main' | 'told' | 'busy' {
  if (generation !== told.generation && !load(generation, [...forkserverPreload()], null, wait))
    return 'busy';
  const missing = forkserverPreload().filter((module) => !told.modules.has(module));
  const main = mainUnfit ? null : mainModule();
  const wantsMain = main !== null && (target?.module === main || job?.module === main);
  if (wantsMain && !told.modules.has(main)) missing.push(main);
  if (missing.length > 0 && !load(generation, missing, wantsMain ? main : null, wait)) return 'busy';
  return main !== null && told.modules.has(main) && !forkserverPreload().includes(main) ? 'main' : 'told';
}

/** False: it was not told, because another thread waits for an answer. */
function load(generation: number, modules: string[], main: string | null, wait: boolean): boolean {
  const message: Told = {
    argv: [process.execPath, entryPath, ...inheritedArgv()],
    execArgv: inheritedExecArgv(),
    modules,
    main,
  };
  const files = [native.fileCreate('multiproc-preload')];
  const nothing = (): number => files[files.push(openSync(devNull, 'w')) - 1]!;
  try {
    native.fileWrite(files[0]!, Buffer.from(JSON.stringify(message)), 0);
    if (!native.forkserverTell([files[0]!, ...ownOutputs(nothing)], wait)) return false;
  } finally {
    for (const file of files) native.fdClose(file);
  }
  if (told.generation !== generation) told = { generation, modules: new Set(), own: new Set() };
  for (const module of modules) {
    told.modules.add(module);
    told.own.add(module);
  }
  return true;
}

/** The other end of it. Null if that is no message: whoever has a channel can send what it likes. */
export function readTold(file: number): Told | null {
  try {
    // Not what would have to be waited for.
    return fstatSync(file).isFile()
      ? (JSON.parse(readFileSync(`/proc/self/fd/${file}`, 'utf8')) as Told)
      : null;
  } catch {
    return null;
  } finally {
    native.fdClose(file);
  }
}
