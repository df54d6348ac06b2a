/**
 * Errors on their way between processes. They travel as data and can always be rebuilt: as themselves where their class
 * can be found, else as RemoteError.
 */
import { inspect, types } from 'node:util';
import * as packageErrors from '../errors.js';
import { encode } from './codec.js';

/** Anything that was thrown: an error in parts, or another value as it is. */
export type Thrown = { kind: 'error'; error: ErrorParts } | { kind: 'value'; value: unknown };

/** One object per error, so that cycles and repeated causes survive structured clone. */
export interface ErrorParts {
  /** Names of its class and that class's ancestors, nearest first. */
  classes: string[];
  name: string;
  message: string;
  stack: string | undefined;
  ownName: boolean;
  cause: Thrown | null;
  errors: Thrown[] | null;
  properties: [key: string, value: Thrown][];
}

/** Causes of causes up to here: both sides recurse. */
const deepestCause = 100;
const unreadable = '(cannot be read)';

/**
 * Takes a thrown value apart. What in it cannot be cloned becomes the text util.inspect() gives. Never throws, whatever the
 * getters in it do; only who encodes the result may find that they have another answer now, and takes inWords().
 */
export function takeApart(thrown: unknown, seen = new Map<object, ErrorParts>(), depth = 0): Thrown {
  if (!isError(thrown)) return { kind: 'value', value: cloneable(thrown) };
  const known = seen.get(thrown);
  if (known !== undefined) return { kind: 'error', error: known };
  if (depth > deepestCause) return inWords(thrown);
  const parts = shallowParts(thrown);
  seen.set(thrown, parts);
  const inner = (value: unknown): Thrown => takeApart(value, seen, depth + 1);
  const own = (key: string): boolean => attempt(() => Object.hasOwn(thrown, key), false);
  if (own('cause')) parts.cause = inner(attempt(() => thrown.cause, unreadable));
  if (own('errors')) {
    const errors = attempt(() => Array.from((thrown as AggregateError).errors as unknown[]), null);
    parts.errors = errors?.map(inner) ?? null;
  }
  for (const key of attempt(() => Object.keys(thrown), [])) {
    if (['name', 'message', 'stack', 'cause', 'errors'].includes(key)) continue;
    const value: unknown = attempt<unknown>(() => Reflect.get(thrown, key), unreadable);
    if (typeof value !== 'function') parts.properties.push([key, inner(value)]);
  }
  return { kind: 'error', error: parts };
}

/** Only its class, and the texts that it consists of. */
export function inWords(thrown: unknown): Thrown {
  return isError(thrown)
    ? { kind: 'error', error: shallowParts(thrown) }
    : { kind: 'value', value: attempt(() => inspect(thrown), unreadable) };
}

function shallowParts(error: Error): ErrorParts {
  const stack: unknown = attempt(() => error.stack, undefined);
  return {
    classes: attempt(() => classNames(error), []),
    name: attempt(() => String(error.name as unknown), 'Error'),
    message: attempt(() => String(error.message as unknown), unreadable),
    stack: typeof stack === 'string' ? stack : undefined,
    ownName: attempt(() => Object.hasOwn(error, 'name'), false),
    cause: null,
    errors: null,
    properties: [],
  };
}

/** Puts a thrown value together again. `findClass` looks for classes of the program by name. Never throws. */
export function putTogether(
  thrown: Thrown,
  findClass: (name: string) => unknown,
  seen = new Map<ErrorParts, Error>(),
): unknown {
  if (thrown.kind === 'value') return thrown.value;
  const parts = thrown.error;
  const known = seen.get(parts);
  if (known !== undefined) return known;
  const error = emptyError(parts, findClass);
  seen.set(parts, error);
  hide(error, 'message', parts.message);
  if (parts.stack !== undefined) hide(error, 'stack', parts.stack);
  // A RemoteError keeps its own: the class it had is its remoteName.
  if (parts.ownName && !(error instanceof packageErrors.RemoteError)) hide(error, 'name', parts.name);
  if (parts.cause !== null) hide(error, 'cause', putTogether(parts.cause, findClass, seen));
  if (parts.errors !== null) {
    hide(
      error,
      'errors',
      parts.errors.map((e) => putTogether(e, findClass, seen)),
    );
  }
  for (const [key, value] of parts.properties) {
    Object.defineProperty(error, key, {
      value: putTogether(value, findClass, seen),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return error;
}

type ErrorClass = abstract new (...args: never[]) => Error;

/** An error of the right class. Its constructor is not run: it may want arguments that nobody knows any more. */
function emptyError(parts: ErrorParts, findClass: (name: string) => unknown): Error {
  const name = parts.classes[0] ?? 'Error';
  if (name === 'DOMException') return new DOMException(parts.message, parts.name);
  const found = builtIn(name) ?? ofPackage(name) ?? asErrorClass(findClass(name)) ?? ofNode(parts);
  if (found !== null) return Reflect.construct(Error, [], found) as Error;
  return new packageErrors.RemoteError(name || parts.name, parts.message);
}

function builtIn(name: string): ErrorClass | null {
  return asErrorClass((globalThis as Record<string, unknown>)[name]);
}

function ofPackage(name: string): ErrorClass | null {
  return Object.hasOwn(packageErrors, name)
    ? asErrorClass((packageErrors as Record<string, unknown>)[name])
    : null;
}

/** Classes Node keeps to itself (NodeError, SystemError, AbortError): the built-in one they extend is all anyone has. */
function ofNode({ classes }: ErrorParts): ErrorClass | null {
  if (!['NodeError', 'SystemError', 'AbortError', 'AssertionError', 'UVException'].includes(classes[0] ?? ''))
    return null;
  for (const name of classes) {
    const found = builtIn(name);
    if (found !== null) return found;
  }
  return Error;
}

function asErrorClass(value: unknown): ErrorClass | null {
  if (typeof value !== 'function') return null;
  return value === Error || value.prototype instanceof Error ? (value as unknown as ErrorClass) : null;
}

function isError(value: unknown): value is Error {
  return types.isNativeError(value) || attempt(() => value instanceof Error, false);
}

function classNames(error: Error): string[] {
  const names: string[] = [];
  for (let p: unknown = Object.getPrototypeOf(error); p !== null; p = Object.getPrototypeOf(p)) {
    const constructor: unknown = Object.getOwnPropertyDescriptor(p, 'constructor')?.value;
    if (typeof constructor !== 'function' || constructor === Object) continue;
    const { name } = constructor as { name: unknown };
    names.push(String(name));
  }
  return names;
}

function cloneable(value: unknown): unknown {
  try {
    encode(value, 'thrown');
    return value;
  } catch {
    return attempt(() => inspect(value), unreadable);
  }
}

/** What a look at the error gives, or something else: it may be a Proxy, or have getters that throw. */
function attempt<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

function hide(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, enumerable: false, writable: true, configurable: true });
}
