/** The error for a value that cannot be cloned. It names the path to it, which is looked for only now. */
import { types } from 'node:util';
import { MultiprocessingError } from '../errors.js';
import { staysHere } from '../transfer/handle.js';
import { kindOf } from './kinds.js';

export interface Culprit {
  /** What a walk through the root meets of it, if not the culprit itself. */
  holder?: unknown;
  /** What it is, in words, where its class does not tell. */
  what?: string;
  /** Its path from the root, where that is known. */
  at?: string;
  why?: string;
  cause?: unknown;
}

function notCloned(culprit: unknown): string {
  const remedy =
    typeof culprit === 'object' && culprit !== null && !types.isProxy(culprit)
      ? (culprit as { [staysHere]?: string })[staysHere]
      : undefined;
  return (
    'it cannot be sent to another process. ' +
    (remedy ??
      'Payloads are copied as by structuredClone(); shared objects of multiproc may be anywhere in them')
  );
}

export function cloneError(
  root: unknown,
  rootName: string,
  culprit: unknown,
  { holder = culprit, what = describe(culprit), at, why = notCloned(culprit), cause }: Culprit = {},
): MultiprocessingError {
  // A getter may make another one each time.
  const path =
    at ??
    pathTo(root, (value) => Object.is(value, holder)) ??
    pathTo(root, (value) => isAlike(value, culprit)) ??
    '';
  return new MultiprocessingError(
    'ERR_MP_CLONE',
    `${trim(`${rootName}${path}`)} is ${what}: ${why}`,
    cause === undefined ? {} : { cause },
  );
}

function isAlike(value: unknown, culprit: unknown): boolean {
  if (typeof value !== typeof culprit) return false;
  return typeof value !== 'object' || (value !== null && kindOf(value) === 'refused');
}

/** What lies in a value that a getter keeps to itself is not looked into. */
function read(object: object, key: string): unknown {
  try {
    return Reflect.get(object, key);
  } catch {
    return undefined;
  }
}

type Step = 'index' | 'key' | 'mapKey' | 'mapValue' | 'setItem';

/** Calls back for all that structured clone would copy from inside a value, saying where it was. */
function eachChild(value: object, visit: (child: unknown, step: Step, at: unknown) => void): void {
  const kind = kindOf(value);
  if (kind === 'map') {
    Map.prototype.forEach.call(value, (item, key) => {
      visit(key, 'mapKey', key);
      visit(item, 'mapValue', key);
    });
  } else if (kind === 'set') {
    let i = 0;
    Set.prototype.forEach.call(value, (item) => {
      visit(item, 'setItem', i++);
    });
  } else if (kind === 'error') {
    for (const key of ['cause', 'errors']) if (Object.hasOwn(value, key)) visit(read(value, key), 'key', key);
  } else if (kind === 'instance' || kind === 'array') {
    for (const key of Object.keys(value))
      visit(read(value, key), kind === 'array' && /^\d+$/.test(key) ? 'index' : 'key', key);
  }
}

/** A step as it is written in a path. */
function written(step: Step, at: unknown): string {
  if (step === 'index') return `[${at as string}]`;
  const key =
    typeof at === 'object' || typeof at === 'function' || typeof at === 'symbol'
      ? '…'
      : typeof at === 'bigint'
        ? `${at}n`
        : JSON.stringify(at);
  if (step === 'key')
    return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(at as string) ? `.${at as string}` : `[${key}]`;
  if (step === 'mapKey') return `.keys(${key})`;
  return step === 'mapValue' ? `.get(${key})` : `.values(${key})`;
}

/** The shortest path to the first value that matches: breadth first, so a value met twice is named where it is nearest. */
export function pathTo(root: unknown, matches: (value: unknown) => boolean): string | null {
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
      return shortened(path);
    }
    if (typeof value !== 'object' || value === null || seen.has(value)) continue;
    seen.add(value);
    eachChild(value, (child, step, at) => queue.push({ value: child, parent: stop, step, at }));
  }
  return null;
}

/** Paths that are longer lose their middle. */
const longestPath = 200;

function shortened(path: string): string {
  return path.length <= longestPath
    ? path
    : `${path.slice(0, longestPath / 2)}…${path.slice(-longestPath / 2)}`;
}

/** A path without a name for the root: `.a.b` is `a.b`, but `.get("a")` needs something to get it from. */
function trim(path: string): string {
  if (/^\.(keys|get|values)\(/.test(path)) return `value${path}`;
  return path.startsWith('.') ? path.slice(1) : path || 'the value';
}

function describe(value: unknown): string {
  if (types.isProxy(value)) return 'a Proxy';
  if (typeof value === 'function')
    return /^class\b/.test(Function.prototype.toString.call(value)) ? 'a class' : 'a function';
  if (typeof value === 'symbol') return 'a symbol';
  if (types.isModuleNamespaceObject(value)) return 'a module';
  if (types.isArgumentsObject(value)) return 'an arguments object';
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  const { constructor: type } = value as { constructor?: { name?: string } };
  const name = kind === 'Object' ? type?.name || kind : kind;
  return `${/^[AEIO]/.test(name) ? 'an' : 'a'} ${name}`;
}
