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
const known = new WeakMap<object, 'instance' | 'shared' | 'refused' | 'unsure'>();

export function kindOf(value: object): Kind {
  if (types.isProxy(value)) return 'refused'; // first: everything else would ask the proxy
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === Object.prototype) return types.isArgumentsObject(value) ? 'refused' : 'instance';
  if (prototype === null) return types.isModuleNamespaceObject(value) ? 'refused' : 'instance';
  const expected = usual.get(prototype);
  if (expected?.check(value) === true) return expected.kind;
  let kind = known.get(prototype);
  if (kind === undefined) known.set(prototype, (kind = learn(prototype)));
  return kind === 'unsure' ? engineKind(value) : kind;
}

/** Objects of classes written in JavaScript down to Object are instances; those with native code among them can be anything. */
function learn(prototype: object): 'instance' | 'shared' | 'refused' | 'unsure' {
  if (staysHere in prototype) return 'refused';
  if (isShareable(prototype)) return 'shared';
  for (let p: object | null = prototype; p !== null; p = Object.getPrototypeOf(p) as object | null) {
    if (p === Object.prototype) break;
    const make: unknown = Object.getOwnPropertyDescriptor(p, 'constructor')?.value;
    if (typeof make === 'function' && Function.prototype.toString.call(make).endsWith('{ [native code] }'))
      return 'unsure';
    if (Object.getOwnPropertyDescriptor(p, Symbol.toStringTag)?.writable === false) return 'unsure';
    if (types.isProxy(p) || p === DOMException.prototype || p === Blob.prototype || p === URL.prototype)
      return 'unsure';
  }
  return 'instance';
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
  return isRefused(value) || !serializes(value) ? 'refused' : 'instance';
}

/** What V8's serializer does not refuse although there is nothing in it to copy, and what it could not do justice. */
function isRefused(value: object): boolean {
  return (
    types.isModuleNamespaceObject(value) ||
    types.isExternal(value) ||
    types.isKeyObject(value) ||
    types.isCryptoKey(value) ||
    types.isSharedArrayBuffer(value) ||
    value instanceof Blob ||
    value instanceof URL
  );
}

/** Only V8 knows all its kinds of objects. */
function serializes(value: object): boolean {
  try {
    new Serializer().writeValue(value);
    return true;
  } catch (error) {
    if (isStackOverflow(error)) throw error;
    return false;
  }
}
