/** The options of a process, checked when it is made. */
import { fileURLToPath } from 'node:url';
import { show, typeError } from '../native/arguments.js';
import type { FunctionAddress } from '../transfer/function-ref.js';
import { checkStdio, type Stdio, type StdioItem } from './stdio.js';

/** A function another process can import, or where it is: see "Functions that cross processes". */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any arguments
export type Target<A extends unknown[] = any[], R = unknown> = ((...args: A) => R) | URL | FunctionAddress;

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any arguments
export interface ProcessOptions<A extends unknown[] = any[], R = unknown> {
  /** What run() calls: a function some module exports, a URL (its default export) or { module, export }. */
  target?: Target<A, R> | undefined;
  args?: Iterable<unknown> | undefined;
  /** `Process-1` and so on by default; `Process-1:2` for a child of that one. */
  name?: string | undefined;
  /**
   * Ended, not waited for, when this process ends; one that is made so may start no processes itself. As the creator's by
   * default.
   */
  daemon?: boolean | undefined;
  /** The whole environment; `process.env` by default. */
  env?: Record<string, string | undefined> | undefined;
  cwd?: string | URL | undefined;
  /** `['ignore', 'inherit', 'inherit']` by default. */
  stdio?: Stdio | undefined;
  /** Options of Node; by default this process's own, without those for evaluating, inspecting, watching and testing. */
  execArgv?: readonly string[] | undefined;
  /** Not ended with this process, nor waited for at its end; in a session of its own. */
  detached?: boolean | undefined;
  /** No console window of its own. Means something on Windows only. */
  windowsHide?: boolean | undefined;
}

export interface CheckedOptions {
  target: Target | null;
  args: unknown[];
  name: string | undefined;
  daemon: boolean | undefined;
  env: Record<string, string | undefined> | undefined;
  cwd: string | undefined;
  stdio: readonly StdioItem[];
  execArgv: readonly string[] | undefined;
  detached: boolean;
  windowsHide: boolean;
}

const names = new Set([
  'target',
  'args',
  'name',
  'daemon',
  'env',
  'cwd',
  'stdio',
  'execArgv',
  'detached',
  'windowsHide',
]);

/** `new Process(options)` if there is one argument, a plain object that is no function address; else (target, ...args). */
export function readArguments(given: readonly unknown[], what: string): CheckedOptions {
  const [first, ...args] = given;
  if (given.length === 0) return checkOptions({}, what);
  return given.length === 1 && isPlainObject(first) && !('module' in first) && !('export' in first)
    ? checkOptions(first, what)
    : checkOptions({ target: first ?? null, args }, what);
}

export function checkOptions(options: Record<string, unknown>, what: string): CheckedOptions {
  for (const name of Object.keys(options)) {
    if (!names.has(name))
      throw typeError(`${what}: there is no option ${show(name)}; there are ${[...names].join(', ')}`);
  }
  const { target, args, name, daemon, env, cwd, stdio, execArgv, detached, windowsHide } = options;
  const is = (type: string, key: string): void => {
    const value = options[key];
    if (value !== undefined && typeof value !== type)
      throw typeError(`${what}: ${key} must be a ${type}, not ${show(value)}`);
  };
  is('string', 'name');
  is('boolean', 'daemon');
  is('boolean', 'detached');
  is('boolean', 'windowsHide');
  if (daemon === true && detached === true)
    throw typeError(
      `${what}: a daemon ends with this process, a detached process does not; choose one of them`,
    );
  if (execArgv !== undefined && !(Array.isArray(execArgv) && execArgv.every((a) => typeof a === 'string'))) {
    throw typeError(`${what}: execArgv must be a list of strings, not ${show(execArgv)}`);
  }
  execArgv?.forEach((argument: string) => {
    checkText(argument, 'execArgv', what);
  });
  return {
    target: target === undefined ? null : checkTarget(target, what),
    args: args === undefined ? [] : listOf(args, what),
    name: name as string | undefined,
    daemon: daemon as boolean | undefined,
    env: checkEnvironment(env, what),
    cwd: checkDirectoryName(cwd, what),
    stdio: checkStdio(stdio, what),
    execArgv: execArgv,
    detached: detached === true,
    windowsHide: windowsHide === true,
  };
}

export function checkTarget(target: unknown, what: string): Target {
  if (typeof target === 'function' || target instanceof URL) return target as Target;
  if (isPlainObject(target) && 'module' in target) return target as unknown as FunctionAddress;
  throw typeError(`${what}: target must be a function, a URL or { module, export }, not ${show(target)}`);
}

/** To the system a text ends at its first NUL. */
function checkText(text: string, key: string, what: string): void {
  if (text.includes('\0'))
    throw typeError(`${what}: ${key} has a NUL character, which no process can be given`);
}

function checkDirectoryName(cwd: unknown, what: string): string | undefined {
  if (cwd === undefined) return undefined;
  if (typeof cwd !== 'string' && !(cwd instanceof URL && cwd.protocol === 'file:'))
    throw typeError(
      `${what}: cwd must be a path or a file: URL, not ${show(cwd instanceof URL ? cwd.href : cwd)}`,
    );
  const path = typeof cwd === 'string' ? cwd : pathOf(cwd, what);
  checkText(path, 'cwd', what);
  return path;
}

function pathOf(cwd: URL, what: string): string {
  try {
    return fileURLToPath(cwd);
  } catch (error) {
    // A file: URL of another host, or with an encoded slash.
    throw typeError(`${what}: cwd ${show(String(cwd))} is no path: ${(error as Error).message}`);
  }
}

function checkEnvironment(env: unknown, what: string): CheckedOptions['env'] {
  if (env === undefined) return undefined;
  // A list or a Map has no variables as its properties.
  if (typeof env !== 'object' || env === null || Symbol.iterator in env)
    throw typeError(`${what}: env must be an object of strings, not ${show(env)}`);
  return Object.fromEntries(
    Object.entries(env).map(([name, value]: [string, unknown]) => {
      if (name === '' || name.includes('='))
        throw typeError(`${what}: env has a variable ${show(name)}, which no program could read`);
      checkText(name, 'the name of a variable in env', what);
      if (typeof value === 'string') checkText(value, `env.${name}`, what);
      if (value === undefined || typeof value === 'string') return [name, value];
      if (typeof value === 'number' || typeof value === 'boolean') return [name, String(value)];
      throw typeError(`${what}: env.${name} must be a string, not ${show(value)}`);
    }),
  );
}

export function listOf(args: unknown, what: string, name = 'args'): unknown[] {
  if (typeof args !== 'object' || args === null || !(Symbol.iterator in args)) {
    throw typeError(`${what}: ${name} must be a list, not ${show(args)}`);
  }
  return [...(args as Iterable<unknown>)];
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
