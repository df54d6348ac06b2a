/** Processes without ceremony: one call for one, one for several. */
import { addAbortListener } from 'node:events';
import { ProcessError, WorkerDiedError } from '../errors.js';
import { rangeError, show, typeError } from '../native/arguments.js';
import type { FunctionAddress } from '../transfer/function-ref.js';
import { checkTarget, isPlainObject, listOf, type ProcessOptions, type Target } from './options.js';
import { Process } from './process.js';
import { parseWait } from '../sync/wait-options.js';
import { signalName } from './signals.js';

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
  /** Milliseconds the others get after a failure to end by themselves, before they are sent SIGTERM: 0 by default. */
  grace?: number | undefined;
  /** Ends all of them when it is aborted; its reason is thrown. */
  signal?: AbortSignal | undefined;
}

/**
 * Runs `fn(index, ...args)` in `count` processes and waits for their ends: all results in order. The first failure, which
 * an exit code other than 0 is as well, ends the others (`grace`, SIGTERM, half a second later SIGKILL) and is thrown when
 * they have ended, with the `index` and `pid` of the process and the stack it had there.
 * @throws WorkerDiedError if a process ended before or without success
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
  groupOptions: GroupOptions,
): Promise<Awaited<R>[]> {
  checkTarget(fn, 'spawnGroup()');
  if (!isPlainObject(groupOptions))
    throw typeError(`spawnGroup(): expects options with a count, not ${show(groupOptions)}`);
  const { count, args = [], grace = 0, signal, ...options } = groupOptions;
  if (typeof count !== 'number') throw typeError(`spawnGroup(): count must be a number, not ${show(count)}`);
  if (!Number.isInteger(count) || count < 0)
    throw rangeError(`spawnGroup(): count must be a whole number, not ${count}`);
  const wait = parseWait({ timeout: grace, ...(signal === undefined ? {} : { signal }) }, 'spawnGroup()');
  signal?.throwIfAborted();
  const list = listOf(args, 'spawnGroup()');
  const members: Process<R>[] = [];
  try {
    for (let index = 0; index < count; index++) members.push(startMember(index));
    const results = await untilAborted(Promise.all(members.map(success)), signal);
    for (const member of members) member.close();
    return results;
  } catch (error) {
    await endAll(members, wait.timeout);
    throw error;
  }

  function startMember(index: number): Process<R> {
    try {
      return new GroupProcess<R>({ ...options, target: fn, args: [index, ...list] }).start();
    } catch (error) {
      throw of(error, index, null);
    }
  }
}

/** A member's result, once it has ended well. */
async function success<R>(member: Process<R>, index: number): Promise<Awaited<R>> {
  const { pid } = member;
  let value: Awaited<R>;
  try {
    value = await member.result();
  } catch (error) {
    throw of(error, index, pid);
  }
  const code = (await member.join())!;
  if (code === 0) return value;
  const killed = code < 0 ? signalName(-code) : null;
  const how = killed === null ? `ended with exit code ${code}` : `was ended by ${killed}`;
  const end = { pid: pid!, exitCode: killed === null ? code : null, signal: killed };
  throw of(
    new WorkerDiedError(`${member.name} (pid ${pid}) ${how} after its target had finished`, end),
    index,
    pid,
  );
}

/** The error of a member, saying whose it is. */
function of(error: unknown, index: number, pid: number | null): unknown {
  if (typeof error === 'object' && error !== null && Object.isExtensible(error)) {
    return Object.assign(error, { index, pid });
  }
  const message = `spawnGroup(): process ${index} (pid ${pid}) threw ${show(error)}`;
  return Object.assign(new ProcessError('ERR_MP_GROUP', message, { cause: error }), { index, pid });
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  let listener: Disposable | undefined;
  const aborted = new Promise<never>((_, reject) => {
    listener = addAbortListener(signal, () => {
      reject(signal.reason as Error);
    });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    listener?.[Symbol.dispose]();
  }
}

async function endAll(members: Process[], grace: number): Promise<void> {
  const until = performance.now() + grace;
  await Promise.all(
    members.map(async (member) => {
      if (grace > 0) await member.join(Math.max(0, until - performance.now()));
      await member[Symbol.asyncDispose]();
    }),
  );
}
