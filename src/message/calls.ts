/** The hot native calls of queues and pipes, with their failures as errors of the package. */
import { asFailure } from '../native/failure.js';
import { native } from '../native/load.js';

const cannotKeep = 'what a message refers to cannot be kept in shared memory';
const cannotHold = 'what a message refers to cannot be held by this process';

function failed(what: string, error: unknown): unknown {
  return asFailure('ERR_MP_MEMORY', what, error);
}

export function queuePut(id: number, units: number): number {
  try {
    return native.queuePut(id, units);
  } catch (error) {
    throw failed(cannotKeep, error);
  }
}

export function queuePutHow(id: number, units: number, how: number, seat: number): number {
  try {
    return native.queuePut(id, units, how, seat);
  } catch (error) {
    throw failed(cannotKeep, error);
  }
}

export function queueGet(id: number, max: number): number {
  try {
    return native.queueGet(id, max);
  } catch (error) {
    throw failed(cannotHold, error);
  }
}

export function queueGetHow(id: number, max: number, how: number, seat: number): number {
  try {
    return native.queueGet(id, max, how, seat);
  } catch (error) {
    throw failed(cannotHold, error);
  }
}

export function pipePut(id: number, ring: number, units: number): number {
  try {
    return native.pipePut(id, ring, units);
  } catch (error) {
    throw failed(cannotKeep, error);
  }
}

export function pipeGet(id: number, ring: number): number {
  try {
    return native.pipeGet(id, ring);
  } catch (error) {
    throw failed(cannotHold, error);
  }
}
