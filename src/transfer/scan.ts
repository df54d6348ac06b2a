/** Looking through a value before it crosses: what is shared, what cannot be cloned, and where. */
import { types } from 'node:util';
import { MultiprocessingError } from '../errors.js';
import { isShareable, type Shareable } from './handle.js';

export interface Scan {
  /** Every shared object in the value, once each. */
  shared: Set<Shareable>;
  /** Whether there is a Buffer: structured clone would send its whole pool, and give a Uint8Array back. */
  buffers: boolean;
}

/** Throws ERR_MP_CLONE with the path of the first value that cannot be cloned. `rootName` names `root` in that path. */
export function scan(root: unknown, rootName: string): Scan {
  const found: Scan = { shared: new Set(), buffers: false };
  const seen = new Set<object>();
  const stack: unknown[] = [];
  const visit = (child: unknown): void => {
    if (
      typeof child === 'object' ? child !== null : typeof child === 'function' || typeof child === 'symbol'
    ) {
      stack.push(child);
    }
  };
  visit(root);
  while (stack.length > 0) {
    const value = stack.pop() as object;
    if (typeof value !== 'object') throw cloneError(root, rootName, value);
    if (seen.has(value)) continue;
    seen.add(value);
    if (isRefused(value)) throw cloneError(root, rootName, value);
    // First: a shared array is a typed array as well.
    if (isShareable(value)) {
      found.shared.add(value);
    } else if (ArrayBuffer.isView(value)) {
      if (types.isSharedArrayBuffer(value.buffer)) throw cloneError(root, rootName, value.buffer, value);
      found.buffers ||= Buffer.isBuffer(value);
    } else {
      eachChild(value, visit);
    }
  }
  return found;
}

type Step = 'index' | 'key' | 'mapKey' | 'mapValue' | 'setItem';

/** Calls back for all that structured clone would copy from inside a value, saying where it was. */
export function eachChild(value: object, visit: (child: unknown, step: Step, at: unknown) => void): void {
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) visit(value[i], 'index', i);
  } else if (types.isMap(value)) {
    for (const [key, item] of value) {
      visit(key, 'mapKey', key);
      visit(item, 'mapValue', key);
    }
  } else if (types.isSet(value)) {
    let i = 0;
    for (const item of value) visit(item, 'setItem', i++);
  } else if (isContainer(value)) {
    for (const key of Object.keys(value)) visit((value as Record<string, unknown>)[key], 'key', key);
  }
}

/** A step as it is written in a path. */
function written(step: Step, at: unknown): string {
  const key =
    typeof at === 'object' || typeof at === 'function' || typeof at === 'symbol' ? '…' : JSON.stringify(at);
  if (step === 'key')
    return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(at as string) ? `.${at as string}` : `[${key}]`;
  if (step === 'mapKey') return `.keys(${key})`;
  if (step === 'mapValue') return `.get(${key})`;
  return step === 'setItem' ? `.values(${key})` : `[${key}]`;
}

/** Whether structured clone takes this object for its own enumerable properties. */
export function isContainer(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return true;
  return !(
    types.isNativeError(value) ||
    types.isDate(value) ||
    types.isRegExp(value) ||
    types.isAnyArrayBuffer(value) ||
    types.isBoxedPrimitive(value)
  );
}

function isRefused(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // Nearly everything is one of these; each question to the engine below costs as much as the walk itself.
  if (Array.isArray(value) || prototype === Object.prototype) return types.isProxy(value);
  return (
    types.isPromise(value) ||
    types.isSharedArrayBuffer(value) ||
    types.isWeakMap(value) ||
    types.isWeakSet(value) ||
    types.isProxy(value) ||
    types.isGeneratorObject(value) ||
    types.isModuleNamespaceObject(value) ||
    types.isExternal(value) ||
    types.isKeyObject(value) ||
    types.isCryptoKey(value) ||
    value instanceof WeakRef ||
    value instanceof Blob
  );
}

/** Where the first value is that matches: its path, or null. */
export function pathOf(root: unknown, rootName: string, matches: (value: unknown) => boolean): string | null {
  const at = pathTo(root, matches);
  return at === null ? null : trim(`${rootName}${at}`);
}

/** The error for `culprit`, found again inside `root` to tell its path; `holder` is what the walk sees of it. */
function cloneError(
  root: unknown,
  rootName: string,
  culprit: unknown,
  holder = culprit,
): MultiprocessingError {
  const at = pathTo(root, (value) => value === holder);
  return refuse(`${rootName}${at ?? ''}`, culprit);
}

/** The error for a value that only the serializer refused: `fails` tries one value on its own. */
export function refusedBySerializer(
  root: unknown,
  rootName: string,
  fails: (value: object) => boolean,
  cause: unknown,
): MultiprocessingError {
  let culprit: unknown = root;
  const at = pathTo(root, (value) => {
    if (typeof value !== 'object' || value === null || hasChildren(value) || !fails(value)) return false;
    culprit = value;
    return true;
  });
  return at === null
    ? new MultiprocessingError(
        'ERR_MP_CLONE',
        `${trim(rootName)} cannot be cloned: ${(cause as Error).message}`,
        { cause },
      )
    : refuse(`${rootName}${at}`, culprit);
}

function hasChildren(value: object): boolean {
  return Array.isArray(value) || types.isMap(value) || types.isSet(value) || Object.keys(value).length > 0;
}

function refuse(path: string, culprit: unknown): MultiprocessingError {
  return new MultiprocessingError(
    'ERR_MP_CLONE',
    `${trim(path)} is ${describe(culprit)}: it cannot be sent to another process. ` +
      'Payloads are copied as by structuredClone(); shared objects of multiproc may be anywhere in them',
  );
}

/** The shortest path to the first value that matches: breadth first, so a value met twice is named where it is nearest. */
function pathTo(root: unknown, matches: (value: unknown) => boolean): string | null {
  interface Stop {
    value: unknown;
    parent: Stop | null;
    step: Step;
    at: unknown;
  }
  const queue: Stop[] = [{ value: root, parent: null, step: 'index', at: 0 }];
  const seen = new Set<unknown>();
  for (let i = 0; i < queue.length; i++) {
    const stop = queue[i]!;
    const { value } = stop;
    if (matches(value)) {
      let path = '';
      for (let s = stop; s.parent !== null; s = s.parent) path = written(s.step, s.at) + path;
      return path;
    }
    if (typeof value !== 'object' || value === null || seen.has(value)) continue;
    seen.add(value);
    if (isShareable(value) || ArrayBuffer.isView(value)) continue;
    eachChild(value, (child, step, at) => queue.push({ value: child, parent: stop, step, at }));
  }
  return null;
}

function trim(path: string): string {
  return path.startsWith('.') ? path.slice(1) : path || 'the value';
}

function describe(value: unknown): string {
  if (typeof value === 'function')
    return /^class\b/.test(Function.prototype.toString.call(value)) ? 'a class' : 'a function';
  if (typeof value === 'symbol') return 'a symbol';
  if (types.isProxy(value)) return 'a Proxy';
  if (types.isModuleNamespaceObject(value)) return 'a module';
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  const { constructor: type } = value as { constructor?: { name?: string } };
  const name = kind === 'Object' ? (type?.name ?? kind) : kind;
  return `${/^[AEIOU]/.test(name) ? 'an' : 'a'} ${name}`;
}
