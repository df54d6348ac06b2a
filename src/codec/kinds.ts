/** What structured clone would make of an object: told by its prototype where that is enough, else by asking the engine. */
import { types } from 'node:util';
import { Serializer } from 'node:v8';
import { isShareable, staysHere } from '../transfer/handle.js';
import { isStackOverflow } from './failures.js';
import { errorNames, viewNames } from './format.js';

/** `instance` is any object that is copied as its own enumerable properties, `refused` one that cannot be copied. */
export type Kind =
  | 'instance'
  | 'array'
  | 'shared'
  | 'view'
  | 'buffer'
  | 'arrayBuffer'
  | 'map'
  | 'set'
  | 'date'
  | 'regexp'
  | 'boxed'
  | 'exception'
  | 'error'
  | 'refused';

type Check = (value: object) => boolean;
const isView: Check = (value) => ArrayBuffer.isView(value);

/** What nearly all objects of a prototype are. The check finds those that only have the prototype. */
const usual = new Map<object, { kind: Kind; check: Check }>([
  [Array.prototype, { kind: 'array', check: Array.isArray }],
  [Buffer.prototype, { kind: 'buffer', check: types.isUint8Array }],
  [Map.prototype, { kind: 'map', check: types.isMap }],
  [Set.prototype, { kind: 'set', check: types.isSet }],
  [Date.prototype, { kind: 'date', check: types.isDate }],
  [RegExp.prototype, { kind: 'regexp', check: types.isRegExp }],
  [ArrayBuffer.prototype, { kind: 'arrayBuffer', check: types.isArrayBuffer }],
]);
for (const name of [...viewNames, ...errorNames]) {
  const type = (globalThis as unknown as Record<string, { prototype: object } | undefined>)[name];
  const error = (errorNames as readonly string[]).includes(name);
  if (type === undefined) continue;
  usual.set(
    type.prototype,
    error ? { kind: 'error', check: types.isNativeError } : { kind: 'view', check: isView },
  );
}

/** Prototypes of the program's and this package's classes. */
const known = new WeakMap<object, Learned>();
type Learned = 'instance' | 'shared' | 'refused' | 'platform' | 'unsure';

export function kindOf(value: object): Kind {
  if (types.isProxy(value)) return 'refused'; // first: everything else would ask the proxy
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === Object.prototype) return types.isArgumentsObject(value) ? 'refused' : 'instance';
  if (prototype === null) return types.isModuleNamespaceObject(value) ? 'refused' : 'instance';
  const expected = usual.get(prototype);
  if (expected?.check(value) === true) return expected.kind;
  let kind = known.get(prototype);
  if (kind === undefined) known.set(prototype, (kind = learn(prototype)));
  if (kind === 'unsure') return engineKind(value);
  if (kind === 'platform') return platformKind(value);
  return kind;
}

/**
 * Objects of classes written in JavaScript down to Object are instances; those with native code among them can be anything.
 * Between them are the classes of the web that Node has written in JavaScript: what is in their objects is no property.
 */
function learn(prototype: object): Learned {
  if (staysHere in prototype) return 'refused';
  if (isShareable(prototype)) return 'shared';
  for (let p: object | null = prototype; p !== null; p = Object.getPrototypeOf(p) as object | null) {
    if (p === Object.prototype) break;
    if (types.isProxy(p) || p === DOMException.prototype) return 'unsure';
    if (isNative(p)) return 'unsure';
    if (Object.getOwnPropertySymbols(p).some(({ description }) => nodesOwn.test(description ?? '')))
      return 'refused';
    if (Object.getOwnPropertyDescriptor(p, Symbol.toStringTag)?.writable === false) return 'platform';
  }
  return 'instance';
}

/** Node clones or transfers objects with these methods. It keeps for itself how. */
const nodesOwn = /^messaging_(clone|transfer)_symbol$/;

/** A prototype of a native class; or of none, as those of iterators, but with native methods. */
function isNative(prototype: object): boolean {
  const make: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
  if (typeof make === 'function') return isNativeCode(make);
  return Object.values(Object.getOwnPropertyDescriptors(prototype)).some(
    ({ value }) => typeof value === 'function' && isNativeCode(value),
  );
}

function isNativeCode(fn: unknown): boolean {
  return Function.prototype.toString.call(fn).endsWith('{ [native code] }');
}

/** What a program adds to such a class is copied. Nothing else would be: an empty object is no Headers. */
function platformKind(value: object): Kind {
  const kind = engineKind(value);
  return kind === 'instance' && Object.keys(value).length === 0 ? 'refused' : kind;
}

function engineKind(value: object): Kind {
  if (isShareable(value)) return 'shared';
  if (Array.isArray(value)) return 'array';
  if (Buffer.isBuffer(value)) return 'buffer';
  if (ArrayBuffer.isView(value)) return 'view';
  if (types.isMap(value)) return 'map';
  if (types.isSet(value)) return 'set';
  if (types.isDate(value)) return 'date';
  if (types.isRegExp(value)) return 'regexp';
  if (types.isArrayBuffer(value)) return 'arrayBuffer';
  if (value instanceof DOMException) return 'exception';
  if (types.isNativeError(value)) return 'error';
  if (types.isSymbolObject(value)) return 'refused';
  if (types.isBoxedPrimitive(value)) return 'boxed';
  if (value === process.env) return 'instance';
  return isRefused(value) || !isCloned(value) ? 'refused' : 'instance';
}

/** What V8's serializer does not refuse although there is nothing in it to copy, and what it could not do justice. */
function isRefused(value: object): boolean {
  return (
    types.isModuleNamespaceObject(value) ||
    types.isExternal(value) ||
    types.isKeyObject(value) ||
    types.isCryptoKey(value) ||
    types.isSharedArrayBuffer(value) ||
    value instanceof URL ||
    isWasmModule(value)
  );
}

function isWasmModule(value: object): boolean {
  if (typeof WebAssembly === 'undefined') return false;
  try {
    WebAssembly.Module.exports(value);
    return true;
  } catch {
    return false;
  }
}

/** Only V8 knows all its kinds of objects, only Node which of its own it does not clone. */
function isCloned(value: object): boolean {
  try {
    new Serializer().writeValue(value);
    structuredClone(value);
    return true;
  } catch (error) {
    if (isStackOverflow(error)) throw error;
    return false;
  }
}
