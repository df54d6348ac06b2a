/** Classes of errors that a target may throw, found in this process by name: what the target itself can see. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { visibleVariables } from './inspector.js';

const require = createRequire(import.meta.url);

/** Looks among the variables the target (or a job's class) sees, and the exports of its module where it is CommonJS. */
export function errorClassFinder(target: object | null, jobClass: object | null): (name: string) => unknown {
  const functions = [target, jobClass].filter((f) => typeof f === 'function');
  const address = target !== null && typeof target !== 'function' ? target : null;
  return (name) => {
    for (const fn of functions) {
      const found = visibleVariables(fn, new Set([name])).get(name);
      if (found !== undefined) return found;
    }
    return address === null ? undefined : fromRequireCache(address, name);
  };
}

function fromRequireCache(address: object, name: string): unknown {
  const module = address instanceof URL ? address : (address as { module: string | URL }).module;
  const path =
    URL.canParse(String(module)) && String(module).startsWith('file:')
      ? fileURLToPath(module)
      : String(module);
  const exports: unknown = require.cache[path]?.exports;
  return typeof exports === 'object' && exports !== null
    ? (exports as Record<string, unknown>)[name]
    : undefined;
}
