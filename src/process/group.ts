/** Processes without ceremony: one call for one, one for several. */
import { rangeError, show, typeError } from '../native/arguments.js';
import type { FunctionAddress } from '../transfer/function-ref.js';
import { checkTarget, type ProcessOptions, type Target } from './options.js';
import { Process } from './process.js';

/**
 * Runs a function in a process of its own: what it returned, or its error.
 * @throws WorkerDiedError if the process ended before that
 */
export function run<A extends unknown[], R>(fn: (...args: A) => R, ...args: A): Promise<Awaited<R>>;
export function run(target: URL | FunctionAddress, ...args: unknown[]): Promise<unknown>;
export async function run(target: Target, ...args: unknown[]): Promise<unknown> {
  return new Process({ target: checkTarget(target, 'run()'), args }).start().result();
}

export interface GroupOptions extends Omit<ProcessOptions, 'target' | 'name'> {
  /** How many processes. */
  count: number;
}

/**
 * Runs `fn(index, ...args)` in `count` processes: all results in order. The first failure ends the others (SIGTERM, after
 * half a second SIGKILL) and is thrown when they have ended.
 */
export async function spawnGroup<R>(
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- any arguments
  fn: ((index: number, ...args: any[]) => R) | URL | FunctionAddress,
  options: GroupOptions,
): Promise<Awaited<R>[]> {
  return runGroup<R>(Process, fn, options);
}

/** The same with processes of a context's. */
export async function runGroup<R>(
  GroupProcess: typeof Process,
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- any arguments
  fn: Target<any[], R>,
  { count, args = [], ...options }: GroupOptions,
): Promise<Awaited<R>[]> {
  checkTarget(fn, 'spawnGroup()');
  if (typeof count !== 'number') throw typeError(`spawnGroup(): count must be a number, not ${show(count)}`);
  if (!Number.isInteger(count) || count < 0)
    throw rangeError(`spawnGroup(): count must be a whole number, not ${count}`);
  const list = [...args];
  const members: Process<R>[] = [];
  try {
    for (let index = 0; index < count; index++) {
      members.push(new GroupProcess<R>({ ...options, target: fn, args: [index, ...list] }).start());
    }
    return await Promise.all(members.map((member) => member.result()));
  } catch (error) {
    await Promise.all(members.map((member) => member[Symbol.asyncDispose]()));
    throw error;
  }
}
