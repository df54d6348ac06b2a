/** Functions by reference, on the side that reads them. */
import { createRequire, isBuiltin } from 'node:module';
import { fileURLToPath } from 'node:url';
import { MultiprocessingError } from '../errors.js';
import { type FunctionRef, functionNamedHere } from '../transfer/function-ref.js';
import { functionIn, loadedModule } from '../transfer/function-resolve.js';

const require = createRequire(import.meta.url);

/** A module must be imported before a function of it can be found; `module` is its URL. */
export class NotLoadedError extends MultiprocessingError {
  readonly module: string;

  constructor({ module, export: name }: FunctionRef, cause?: unknown) {
    super(
      'ERR_MP_FUNCTION',
      `Export ${JSON.stringify(name)} of ${module} cannot be found now: the module is not loaded here. Import it before, ` +
        'or receive with the form that waits',
      cause === undefined ? {} : { cause },
    );
    this.module = module;
  }
}

/** The function of a module that is loaded, or that can be without waiting. */
export function defaultFunction(ref: FunctionRef): object {
  const { module } = ref;
  const own = functionNamedHere(ref);
  if (own !== undefined) return own;
  const known = loadedModule(module);
  if (known !== undefined) return functionIn(known, ref);
  if (isBuiltin(module)) return functionIn(withDefault(require(module)), ref);
  if (!module.startsWith('file:')) throw new NotLoadedError(ref);
  const path = fileURLToPath(module);
  const loaded = require.cache[path];
  if (loaded?.loaded === true) return functionIn(withDefault(loaded.exports), ref);
  throw new NotLoadedError(ref);
}

/** A CommonJS module as import() shows it. */
function withDefault(exports: unknown): Record<string, unknown> {
  return { ...(exports as object), default: exports };
}
