/** How processes come into being. */
import { MultiprocessingError } from '../errors.js';
import { show } from '../native/arguments.js';

export type StartMethod = 'spawn' | 'fork' | 'forkserver';

const known: readonly StartMethod[] = ['spawn', 'fork', 'forkserver'];
const available: readonly StartMethod[] = ['spawn'];
let chosen: StartMethod | null = null;

/**
 * Chooses how processes are started from now on, once per program; `force` allows another choice later.
 * @throws MultiprocessingError `ERR_MP_UNSUPPORTED` if it is not available here, `ERR_MP_START_METHOD` if there is no
 * such method or another one was chosen before
 */
export function setStartMethod(method: StartMethod, { force = false }: { force?: boolean } = {}): void {
  if (!known.includes(method)) {
    throw new MultiprocessingError(
      'ERR_MP_START_METHOD',
      `setStartMethod(): there is no method ${show(method)}; there are ${known.join(', ')}`,
    );
  }
  if (!available.includes(method)) {
    throw new MultiprocessingError(
      'ERR_MP_UNSUPPORTED',
      `setStartMethod(): ${method} is not available here; getAllStartMethods() gives ${available.join(', ')}`,
    );
  }
  if (chosen !== null && chosen !== method && !force) {
    throw new MultiprocessingError(
      'ERR_MP_START_METHOD',
      `setStartMethod(): ${chosen} was chosen already; { force: true } changes it`,
    );
  }
  chosen = method;
}

/** The method that start() uses. */
export function getStartMethod(): StartMethod {
  return chosen ?? available[0]!;
}

/** The methods available here, the default first. */
export function getAllStartMethods(): StartMethod[] {
  return [...available];
}
