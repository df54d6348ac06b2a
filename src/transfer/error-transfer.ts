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

/** Takes a thrown value apart. What in it cannot be cloned becomes the text util.inspect() gives. Never throws. */
export function takeApart(thrown: unknown, seen = new Map<object, ErrorParts>()): Thrown {
  if (!isError(thrown)) return { kind: 'value', value: cloneable(thrown) };
  const known = seen.get(thrown);
  if (known !== undefined) return { kind: 'error', error: known };
  const parts: ErrorParts = {
    classes: classNames(thrown),
    name: text(() => thrown.name),
    message: text(() => thrown.message),
    stack: typeof thrown.stack === 'string' ? thrown.stack : undefined,
    ownName: Object.hasOwn(thrown, 'name'),
    cause: null,
    errors: null,
    properties: [],
  };
  seen.set(thrown, parts);
  if (Object.hasOwn(thrown, 'cause')) parts.cause = takeApart(thrown.cause, seen);
  const { errors } = thrown as { errors?: unknown };
  if (Object.hasOwn(thrown, 'errors') && Array.isArray(errors))
    parts.errors = errors.map((e) => takeApart(e, seen));
  for (const key of Object.keys(thrown)) {
    if (['name', 'message', 'stack', 'cause', 'errors'].includes(key)) continue;
    const value: unknown = Reflect.get(thrown, key);
    if (typeof value !== 'function') parts.properties.push([key, takeApart(value, seen)]);
  }
  return { kind: 'error', error: parts };
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
  return types.isNativeError(value) || value instanceof Error;
}

function classNames(error: Error): string[] {
  const names: string[] = [];
  for (let p: unknown = Object.getPrototypeOf(error); p !== null; p = Object.getPrototypeOf(p)) {
    const constructor: unknown = Object.getOwnPropertyDescriptor(p, 'constructor')?.value;
    if (typeof constructor === 'function' && constructor !== Object) names.push(constructor.name);
  }
  return names;
}

function cloneable(value: unknown): unknown {
  try {
    encode(value, 'thrown');
    return value;
  } catch {
    return inspect(value);
  }
}

function text(read: () => unknown): string {
  try {
    return String(read());
  } catch {
    return '';
  }
}

function hide(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, enumerable: false, writable: true, configurable: true });
}
