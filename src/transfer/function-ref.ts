/**
 * Functions by reference: the module and export another process finds a function under, told from the function itself.
 *
 * Synchronous, and without importing anything: it must work for functions of the main module while that module is still
 * in a top-level await, when importing it from itself would never settle.
 */
import { createRequire, isBuiltin } from 'node:module';
import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parse } from 'es-module-lexer/js';
import { MultiprocessingError } from '../errors.js';
import { show, typeError } from '../native/arguments.js';
import { locate, visibleVariables, type Place } from './inspector.js';

/** A function's address, as a user may write it. `export` is 'default' unless given. */
export interface FunctionAddress {
  module: string | URL;
  export?: string;
}

/** What travels. `hash` is that of the function's source where it was found from the function, so the child can check. */
export interface FunctionRef {
  module: string;
  export: string;
  hash: string | null;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- any function at all
export type AnyFunction = abstract new (...args: any[]) => unknown;
const require = createRequire(import.meta.url);
const known = new WeakMap<object, FunctionRef>();
const sent = new Map<string, WeakRef<object>>();

/** The reference of a function or class. ERR_MP_FUNCTION, saying where it is defined, if no module exports it. */
export function referenceTo(fn: object): FunctionRef {
  let ref = known.get(fn);
  if (ref === undefined) {
    ref = { ...find(fn), hash: sourceHash(fn) };
    known.set(fn, ref);
    sent.set(keyOf(ref), new WeakRef(fn));
  }
  return ref;
}

/** The function that referenceTo() was asked for here and answered so: it may come back before its module has ended. */
export function functionSentAs(ref: FunctionRef): object | undefined {
  return sent.get(keyOf(ref))?.deref();
}

function keyOf({ module, export: name, hash }: FunctionRef): string {
  return `${hash ?? ''} ${name} ${module}`;
}

/** The reference of a target as users give it: a function, a URL (its default export) or { module, export }. */
export function referenceOf(target: object, what: string): FunctionRef {
  if (typeof target === 'function') return referenceTo(target);
  if (target instanceof URL) return { module: target.href, export: 'default', hash: null };
  const { module, export: name = 'default' } = target as FunctionAddress;
  if (typeof name !== 'string') throw typeError(`${what}: export must be a string, not ${show(name)}`);
  return { module: moduleUrl(module, what), export: name, hash: null };
}

function moduleUrl(module: unknown, what: string): string {
  if (module instanceof URL) return module.href;
  if (typeof module !== 'string')
    throw typeError(`${what}: module must be a URL or a path, not ${show(module)}`);
  if (isAbsolute(module)) return pathToFileURL(module).href;
  if (/^\.\.?[/\\]/.test(module)) return pathToFileURL(resolve(module)).href;
  if (isBuiltin(module)) return module.startsWith('node:') ? module : `node:${module}`;
  if (URL.canParse(module)) return module;
  throw new MultiprocessingError(
    'ERR_MP_FUNCTION',
    `${what}: module ${show(module)} is neither a path nor a URL; for a package give import.meta.resolve(${show(module)})`,
  );
}

/** Tells versions of a function apart: 53 bits of its source text. */
export function sourceHash(fn: object): string {
  const source = Function.prototype.toString.call(fn);
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < source.length; i++) {
    const unit = source.charCodeAt(i);
    a = Math.imul(a ^ unit, 2654435761);
    b = Math.imul(b ^ unit, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return (4294967296 * (2097151 & b) + (a >>> 0)).toString(36);
}

type Address = Omit<FunctionRef, 'hash'>;

function find(fn: object): Address {
  const { available, bound, place } = locate(fn);
  if (!available) {
    const address = inRequireCache(fn, null);
    if (address !== null) return address;
    throw notFound(fn, null, 'this Node has no inspector to find it with');
  }
  if (bound) throw notFound(fn, null, 'bind() made it, so no module exports it');
  if (place === null) throw notFound(fn, null, 'it is native code');
  if (place.url.startsWith('node:')) return inBuiltin(fn, place);
  if (!isImportable(place.url))
    throw notFound(fn, place, 'code without a file cannot be imported by another process');
  return place.isModule ? inModule(fn, place) : inScript(fn, place);
}

/** Code from eval, a command line, a REPL or a data: URL has no module that a child could import. */
function isImportable(url: string): boolean {
  return (
    url !== '' &&
    !url.startsWith('data:') &&
    URL.canParse(url) &&
    !/\/\[?(eval\d*|stdin)\]?(-wrapper)?$/.test(url)
  );
}

function inModule(fn: object, place: Place): Address {
  const exported = exportsOf(place);
  const locals = new Set(exported.flatMap((e) => (e.ln === undefined ? [] : [e.ln])));
  const values = visibleVariables(fn, locals);
  const names = exported.filter((e) => e.ln !== undefined && values.get(e.ln) === fn).map((e) => e.n);
  if (names.length === 0 && exported.some((e) => e.n === 'default' && isThisDefault(fn, place, e)))
    names.push('default');
  const own = (fn as { name?: unknown }).name;
  const name = names.find((n) => n === own) ?? names[0];
  if (name === undefined) throw notFound(fn, place, 'its module does not export it');
  return { module: place.url, export: name };
}

interface Exported {
  n: string;
  ln: string | undefined;
  e: number;
}

function exportsOf(place: Place): readonly Exported[] {
  try {
    return parse(place.source, place.url)[1];
  } catch (cause) {
    throw new MultiprocessingError('ERR_MP_FUNCTION', `The exports of ${place.url} cannot be read`, {
      cause,
    });
  }
}

/**
 * An anonymous default export has no variable to compare; its text must follow the keyword, at the function's place. (The
 * lexer takes the word after `class` for a name, even `extends`, so what it says of one proves nothing.)
 */
function isThisDefault(fn: object, { source, line, column }: Place, entry: Exported): boolean {
  const text = Function.prototype.toString.call(fn);
  const skipped = /^(?:\s|\/\*[^]*?\*\/|\/\/.*|\()*/.exec(source.slice(entry.e))![0].length;
  const start = entry.e + skipped;
  let offset = column;
  for (let at = 0, l = 0; l < line; l++) offset += -at + (at = source.indexOf('\n', at) + 1);
  return source.startsWith(text, start) && offset >= start && offset < start + text.length;
}

function inScript(fn: object, place: Place): Address {
  const path = place.url.startsWith('file:') ? fileURLToPath(place.url) : place.url;
  const address = inRequireCache(fn, path) ?? announced(fn, path, place);
  if (address === null) throw notFound(fn, place, 'its module does not export it');
  return address;
}

/** Looks through CommonJS modules: the one of this path, or (null) all. Getters are not called, except on the one. */
function inRequireCache(fn: object, path: string | null): Address | null {
  for (const module of Object.values(require.cache)) {
    if (module === undefined || (path !== null && module.filename !== path)) continue;
    const name = nameIn(module.exports, fn, path !== null);
    if (name !== null) return { module: pathToFileURL(module.filename).href, export: name };
  }
  return null;
}

function nameIn(exports: unknown, fn: object, callGetters: boolean): string | null {
  if (exports === fn) return 'default';
  if ((typeof exports !== 'object' && typeof exports !== 'function') || exports === null) return null;
  for (const [key, property] of Object.entries(Object.getOwnPropertyDescriptors(exports))) {
    if (property.value === fn) return key;
    if (callGetters && property.get !== undefined && (exports as Record<string, unknown>)[key] === fn)
      return key;
  }
  return null;
}

/**
 * A CommonJS module that is still running may assign its exports further down. Its text says whether it will; the child,
 * for which it has run to the end, checks.
 */
function announced(fn: object, path: string, { source }: Place): Address | null {
  const { name } = fn as { name: string };
  const running = Object.values(require.cache).some((m) => m?.filename === path && !m.loaded);
  if (!running || !/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name)) return null;
  const word = name.replaceAll('$', '\\$');
  const listed = new RegExp(`exports\\s*=\\s*\\{[^}]*(?<![\\w$.])${word}(?![\\w$])`, 'u');
  if (new RegExp(`module\\.exports\\s*=\\s*${word}\\s*(?:;|$)`, 'mu').test(source)) {
    return { module: pathToFileURL(path).href, export: 'default' };
  }
  const assigned = new RegExp(`exports\\.${word}\\s*=[^=]`, 'u');
  return listed.test(source) || assigned.test(source)
    ? { module: pathToFileURL(path).href, export: name }
    : null;
}

function inBuiltin(fn: object, place: Place): Address {
  if (isBuiltin(place.url)) {
    const name = nameIn(require(place.url), fn, false);
    if (name !== null) return { module: place.url, export: name };
  }
  throw notFound(fn, null, 'it is part of Node and not exported under a name of its own');
}

function notFound(fn: object, place: Place | null, why: string): MultiprocessingError {
  const { name } = fn as { name?: unknown };
  const kind = /^class\b/.test(Function.prototype.toString.call(fn)) ? 'Class' : 'Function';
  const called =
    typeof name === 'string' && name !== '' ? `${kind} ${name}` : `An anonymous ${kind.toLowerCase()}`;
  const at =
    place === null
      ? ''
      : ` (defined at ${place.url || 'evaluated code'}:${place.line + 1}:${place.column + 1})`;
  return new MultiprocessingError(
    'ERR_MP_FUNCTION',
    `${called}${at} cannot be found by another process: ${why}. Export it at the top level of the module that defines it ` +
      'and pass what it needs as arguments, or name it with { module, export } or new URL(…)',
  );
}
