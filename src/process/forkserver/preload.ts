/** Which modules a forkserver loads before it forks. */
import { realpathSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MultiprocessingError } from '../../errors.js';
import { show, typeError } from '../../native/arguments.js';

let chosen: string[] = [];

/**
 * The modules that a forkserver loads before it forks, so that its children have them at once: URLs, paths, and names of
 * packages as the main script would require them. Those that fail to load are errors of start().
 */
export function setForkserverPreload(modules: Iterable<string | URL>): void {
  const what = 'setForkserverPreload()';
  if (typeof modules !== 'object' || (modules as unknown) === null || !(Symbol.iterator in modules)) {
    throw typeError(`${what}: modules must be a list of URLs, paths and names, not ${show(modules)}`);
  }
  chosen = [...modules].map((module: unknown) => {
    if (module instanceof URL) return module.href;
    if (typeof module === 'string') return urlOf(module, what);
    throw typeError(`${what}: a module must be a URL, a path or a name, not ${show(module)}`);
  });
}

export function forkserverPreload(): readonly string[] {
  return chosen;
}

/** The module this program began with; null if there is none. */
export function mainModule(): string | null {
  const script = process.argv[1];
  if (script === undefined) return null;
  if (script !== main.script) main = { script, url: urlOfScript(script) };
  return main.url;
}

let main: { script: string | null; url: string | null } = { script: null, url: null };

function urlOfScript(script: string): string | null {
  try {
    return pathToFileURL(realpathSync(script)).href;
  } catch {
    return null;
  }
}

function urlOf(module: string, what: string): string {
  if (isAbsolute(module)) return pathToFileURL(module).href;
  if (/^\.\.?[/\\]/.test(module)) return pathToFileURL(resolve(module)).href;
  if (isBuiltin(module)) return module.startsWith('node:') ? module : `node:${module}`;
  if (URL.canParse(module)) return module;
  try {
    return pathToFileURL(createRequire(process.argv[1] ?? join(process.cwd(), 'x')).resolve(module)).href;
  } catch (cause) {
    throw new MultiprocessingError(
      'ERR_MP_PRELOAD',
      `${what}: package ${show(module)} is not found; give import.meta.resolve(${show(module)})`,
      { cause },
    );
  }
}
