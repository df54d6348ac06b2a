/** The options of a pool and of its calls, checked. */
import { fileURLToPath } from 'node:url';
import { rangeError, show, typeError } from '../native/arguments.js';
import { cpuCount } from '../process/cpu-count.js';
import type { Context } from '../process/context.js';
import { checkOptions, isPlainObject, listOf, type ProcessOptions, type Target } from '../process/options.js';
import type { WaitOptions } from '../sync/wait-options.js';

export interface PoolOptions extends Pick<ProcessOptions, 'env' | 'cwd' | 'execArgv'> {
  /** How many workers: cpuCount() by default. The same as `min` and `max` of it. */
  processes?: number | undefined;
  /** The least and the most workers there are: tasks that wait start more, `idleTimeout` ends them. */
  min?: number | undefined;
  max?: number | undefined;
  /** Called in each worker before its first task; it may be async. If it fails, so does the pool. */
  initializer?: Target | undefined;
  initargs?: Iterable<unknown> | undefined;
  /** A worker that has been given so many tasks (chunks of a map count as one) is replaced: Infinity by default. */
  maxTasksPerChild?: number | undefined;
  /**
   * A worker whose process has come to more bytes of its own than that is replaced after its task: Infinity by default. Shared
   * memory is nobody's own.
   */
  maxMemoryPerChild?: number | undefined;
  /** Workers beyond `min` end after so many milliseconds without a task: Infinity by default. */
  idleTimeout?: number | undefined;
  /** How many tasks a worker runs at once, where they are async: 1 by default. */
  concurrency?: number | undefined;
  /** Milliseconds that a running task has to heed its signal before its worker is replaced: 500 by default. */
  grace?: number | undefined;
  /** Of which start method the workers are: `getContext('spawn')`. */
  context?: Context | undefined;
  /** Writes a timeline of the tasks to this file, for Perfetto and Chrome's trace viewer. */
  trace?: string | URL | undefined;
}

export interface CheckedPoolOptions {
  min: number;
  max: number;
  initializer: Target | null;
  initargs: unknown[];
  maxTasksPerChild: number;
  maxMemory: number;
  idleTimeout: number;
  concurrency: number;
  grace: number;
  context: Context | null;
  trace: string | null;
  process: Pick<ProcessOptions, 'env' | 'cwd' | 'execArgv'>;
}

const names = [
  'processes',
  'min',
  'max',
  'initializer',
  'initargs',
  'maxTasksPerChild',
  'maxMemoryPerChild',
  'idleTimeout',
  'concurrency',
  'grace',
  'context',
  'trace',
  'env',
  'cwd',
  'execArgv',
];
const workersMax = 4000;

function checkNames(options: object, known: readonly string[], what: string): void {
  for (const name of Object.keys(options))
    if (!known.includes(name))
      throw typeError(`${what}: there is no option ${show(name)}; there are ${known.join(', ')}`);
}

export function checkPoolOptions(given: unknown, what: string): CheckedPoolOptions {
  const options = (
    typeof given === 'number' ? { processes: given } : given === undefined ? {} : given
  ) as Record<string, unknown>;
  if (!isPlainObject(options))
    throw typeError(`${what}: expects a number of workers or options, not ${show(given)}`);
  checkNames(options, names, what);
  const count = (name: string, fallback: number, least: number, most: number): number =>
    options[name] === undefined ? fallback : wholeNumber(options[name], `${what}: ${name}`, least, most);
  const processes = count('processes', cpuCount(), 1, workersMax);
  if (options.processes !== undefined && (options.min !== undefined || options.max !== undefined))
    throw typeError(`${what}: give either processes or min and max`);
  const max = count('max', Math.max(processes, Number(options.min ?? 0) || 0), 1, workersMax);
  const min = count('min', options.max === undefined ? max : Math.min(1, max), 0, workersMax);
  if (min > max) throw rangeError(`${what}: min (${min}) is more than max (${max})`);
  const { initializer, initargs, context, trace, env, cwd, execArgv } = options as PoolOptions;
  const checked = checkOptions(
    { ...(initializer === undefined ? {} : { target: initializer }), env, cwd, execArgv },
    what,
  );
  if (initargs !== undefined && initializer === undefined)
    throw typeError(`${what}: initargs are for an initializer, and there is none`);
  if (context !== undefined && typeof (context as Partial<Context> | null)?.Process !== 'function')
    throw typeError(`${what}: context must be what getContext() returns, not ${show(context)}`);
  if (trace !== undefined && typeof trace !== 'string' && !(trace instanceof URL))
    throw typeError(`${what}: trace must be a path or a file: URL, not ${show(trace)}`);
  return {
    min,
    max,
    initializer: checked.target,
    initargs: initargs === undefined ? [] : listOf(initargs, what, 'initargs'),
    maxTasksPerChild: limit(options, 'maxTasksPerChild', what, 1),
    maxMemory: noLimitIsZero(limit(options, 'maxMemoryPerChild', what, 1)),
    idleTimeout: milliseconds(options.idleTimeout, Infinity, `${what}: idleTimeout`),
    concurrency: count('concurrency', 1, 1, 65_536),
    grace: milliseconds(options.grace, 500, `${what}: grace`),
    context: context ?? null,
    trace: trace === undefined ? null : trace instanceof URL ? fileURLToPath(trace) : trace,
    process: { env: checked.env, cwd: checked.cwd, execArgv: checked.execArgv },
  };
}

function limit(options: Record<string, unknown>, name: string, what: string, least: number): number {
  const value = options[name];
  return value === undefined || value === Infinity
    ? Infinity
    : wholeNumber(value, `${what}: ${name}`, least, Number.MAX_SAFE_INTEGER);
}

const noLimitIsZero = (bytes: number): number => (bytes === Infinity ? 0 : bytes);

export function wholeNumber(value: unknown, what: string, least: number, most: number): number {
  if (typeof value !== 'number') throw typeError(`${what} must be a number, not ${show(value)}`);
  if (!Number.isInteger(value) || value < least || value > most)
    throw rangeError(`${what} must be a whole number from ${least} to ${most}, not ${value}`);
  return value;
}

function milliseconds(value: unknown, fallback: number, what: string): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number') throw typeError(`${what} must be a number, not ${show(value)}`);
  if (!(value >= 0)) throw rangeError(`${what} must be milliseconds from 0 on, not ${value}`);
  return value;
}

export interface TaskOptions extends WaitOptions {
  /** Tasks of higher priority are given to workers first: 0 by default. */
  priority?: number | undefined;
}

export interface MapOptions extends TaskOptions {
  /** How many items go to a worker at once: about a quarter of a worker's share by default. */
  chunksize?: number | undefined;
  /** Milliseconds that a chunk may run; with this, chunks have one item by default. */
  taskTimeout?: number | undefined;
  /** Called after each chunk. `total` is undefined while nobody knows how many items there are. What it throws is a warning. */
  onProgress?: ((progress: { done: number; total: number | undefined }) => unknown) | undefined;
  /** Shows a progress bar on stderr, if that is a terminal. */
  progress?: boolean | undefined;
}

export interface ImapOptions extends TaskOptions {
  chunksize?: number | undefined;
  taskTimeout?: number | undefined;
  /**
   * How many items may be taken from the input before the results of the first of them were taken: four chunks for each task
   * by default. Infinity: as many as the workers do.
   */
  buffer?: number | undefined;
}

/** What the calls take. */
const taskNames = ['timeout', 'signal', 'priority'];
const laterNames = ['callback', 'errorCallback'];
const mapNames = [...taskNames, 'chunksize', 'taskTimeout', 'onProgress', 'progress'];
export const callOptions = {
  apply: taskNames,
  applyAsync: [...taskNames, ...laterNames],
  map: mapNames,
  mapAsync: [...mapNames, ...laterNames],
  imap: [...taskNames, 'chunksize', 'taskTimeout', 'buffer'],
} as const;

export function checkCallOptions(options: unknown, known: readonly string[], what: string): void {
  if (!isPlainObject(options)) throw typeError(`${what}: options must be an object, not ${show(options)}`);
  checkNames(options, known, what);
}

export interface CheckedMapOptions {
  priority: number;
  chunksize: number | undefined;
  taskTimeout: number;
  onProgress: NonNullable<MapOptions['onProgress']> | null;
  progress: boolean;
  buffer: number | undefined;
}

export function checkPriority(priority: unknown, what: string): number {
  if (priority === undefined) return 0;
  if (typeof priority !== 'number' || Number.isNaN(priority))
    throw typeError(`${what}: priority must be a number, not ${show(priority)}`);
  return priority;
}

export function checkMapOptions(
  options: MapOptions & ImapOptions,
  known: readonly string[],
  what: string,
): CheckedMapOptions {
  checkCallOptions(options, known, what);
  const { chunksize, onProgress, progress, priority, buffer, taskTimeout } = options;
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw typeError(`${what}: onProgress must be a function, not ${show(onProgress)}`);
  if (progress !== undefined && typeof progress !== 'boolean')
    throw typeError(`${what}: progress must be true or false, not ${show(progress)}`);
  const size = (value: unknown, name: string): number | undefined =>
    value === undefined ? undefined : wholeNumber(value, `${what}: ${name}`, 1, 2 ** 31);
  return {
    priority: checkPriority(priority, what),
    chunksize: size(chunksize, 'chunksize') ?? (taskTimeout === undefined ? undefined : 1),
    taskTimeout: milliseconds(taskTimeout, Infinity, `${what}: taskTimeout`),
    onProgress: onProgress ?? null,
    progress: progress === true,
    buffer: buffer === Infinity ? buffer : size(buffer, 'buffer'),
  };
}
