/** How processes come into being. */
import { isMainThread } from 'node:worker_threads';
import { MultiprocessingError } from '../errors.js';
import { isForkCapable } from './fork/capable.js';
import { show } from '../native/arguments.js';

export type StartMethod = 'spawn' | 'fork' | 'forkserver';

const known: readonly StartMethod[] = ['spawn', 'fork', 'forkserver'];

/** Fork only in a program that was started for it. */
function available(): StartMethod[] {
  if (process.platform !== 'linux') return ['spawn'];
  return isForkCapable() ? ['forkserver', 'spawn', 'fork'] : ['forkserver', 'spawn'];
}

let chosen: StartMethod | null = null;
/** What start() uses where nothing is chosen; null: not asked for yet. */
let byDefault: StartMethod | null = null;

const variable = 'MULTIPROC_START_METHOD';

/** For a program as a whole and all its processes. */
function wished(): StartMethod | null {
  const method = process.env[variable] as StartMethod | '' | undefined;
  if (method === undefined || method === '') return null;
  // What is right in the program may not be possible in each of its processes and threads.
  if ((inherited || !isMainThread) && known.includes(method) && !available().includes(method)) return null;
  checkStartMethod(method, variable);
  return method;
}

/**
 * Chooses how processes are started from now on, once per program; `force` allows another choice later, and null then
 * takes the choice back.
 * @throws MultiprocessingError `ERR_MP_UNSUPPORTED` if it is not available here, `ERR_MP_START_METHOD` if there is no
 * such method or one was chosen before
 */
export function setStartMethod(
  method: StartMethod | null,
  { force = false }: { force?: boolean } = {},
): void {
  if (method !== null || !force) checkStartMethod(method as StartMethod, 'setStartMethod()');
  if (chosen !== null && !force) {
    throw new MultiprocessingError(
      'ERR_MP_START_METHOD',
      `setStartMethod(): ${chosen} was chosen already, and how processes are started is chosen once, by the program: ` +
        '{ force: true } allows it again, getContext() has a method of its own',
    );
  }
  chosen = method;
}

export function checkStartMethod(method: StartMethod, what: string): void {
  if (!known.includes(method)) {
    throw new MultiprocessingError(
      'ERR_MP_START_METHOD',
      `${what}: there is no method ${show(method)}; there are ${known.join(', ')}`,
    );
  }
  if (!available().includes(method)) {
    const remedy =
      method === 'fork' && process.platform === 'linux'
        ? 'start the program with: npx multiproc run <script>'
        : `getAllStartMethods() gives ${available().join(', ')}`;
    throw new MultiprocessingError(
      'ERR_MP_UNSUPPORTED',
      `${what}: ${method} is not available here; ${remedy}`,
    );
  }
}

let inherited = false;

/** In a child: its processes are started as it was. */
export function inheritStartMethod(method: StartMethod): void {
  inherited = true;
  byDefault = method;
}

/** Whether the program asks for its method. Else a process that need not wait for a server to start does not. */
export function isStartMethodChosen(): boolean {
  return chosen !== null || wished() !== null;
}

/** The method that start() uses. */
export function getStartMethod(): StartMethod {
  return chosen ?? (byDefault ??= wished() ?? available()[0]!);
}

/** The methods available here, the default first. */
export function getAllStartMethods(): StartMethod[] {
  return available();
}
