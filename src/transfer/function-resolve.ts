/** The receiving side of functions by reference: importing the module, and checking that it is the same function. */
import { MultiprocessingError } from '../errors.js';
import { sourceHash, type FunctionRef } from './function-ref.js';

type Namespace = Record<string, unknown>;

/**
 * The function or class a reference names. Errors of the module itself come out as they are; ERR_MP_FUNCTION if it has
 * no such function, or one with another source than the sender's.
 */
export async function resolveFunction(ref: FunctionRef): Promise<object> {
  return functionIn(preloaded.get(ref.module) ?? ((await import(ref.module)) as Namespace), ref);
}

/** Modules loaded for their functions, by a forkserver for instance: the first import() of a process takes milliseconds. */
const preloaded = new Map<string, Namespace>();

export async function preloadModule(url: string): Promise<void> {
  preloaded.set(url, (await import(url)) as Namespace);
}

/** Functions of this package that a child finds without a module: `url` is a name that no module has. */
export function preloadNamespace(url: string, namespace: Namespace): void {
  preloaded.set(url, namespace);
}

export function preloadedModule(url: string): Namespace | undefined {
  return preloaded.get(url);
}

/** The same in a module that is loaded already. */
export function functionIn(namespace: Namespace, ref: FunctionRef): object {
  const candidates = candidatesFor(namespace, ref.export);
  const functions = candidates.filter((c) => typeof c === 'function');
  const match = functions.find((f) => ref.hash === null || sourceHash(f) === ref.hash);
  if (match !== undefined) return match;
  const name = `Export ${JSON.stringify(ref.export)} of ${ref.module}`;
  if (functions.length > 0) {
    throw failure(`${name} is another function here than in the process that sent it: their sources differ`);
  }
  const value = candidates.find((c) => c !== undefined);
  if (value !== undefined) throw failure(`${name} is not a function but ${typeof value}`);
  throw failure(
    `${name} does not exist. The module exports ${Object.keys(namespace).join(', ') || 'nothing'}`,
  );
}

/** Where an export may be: a CommonJS module's properties are seen under `default` even if not as names. */
function candidatesFor(namespace: Namespace, name: string): unknown[] {
  const whole = namespace.default;
  const inside =
    (typeof whole === 'object' || typeof whole === 'function') && whole !== null && Object.hasOwn(whole, name)
      ? (whole as Namespace)[name]
      : undefined;
  // Compiled to CommonJS, a default export is a property of module.exports called default.
  return name === 'default' ? [whole, inside] : [namespace[name], inside];
}

function failure(message: string): MultiprocessingError {
  return new MultiprocessingError('ERR_MP_FUNCTION', message);
}
