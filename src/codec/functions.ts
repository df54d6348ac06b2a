/** Functions by reference, on the side that reads them: found without waiting, or after importing their modules. */
import { createRequire, isBuiltin } from 'node:module';
import { fileURLToPath } from 'node:url';
import { types } from 'node:util';
import { MultiprocessingError } from '../errors.js';
import { type FunctionRef, functionSentAs } from '../transfer/function-ref.js';
import { functionIn, preloadedModule, preloadModule } from '../transfer/function-resolve.js';

const require = createRequire(import.meta.url);

/** A module must be imported before a function of it can be found; `module` is its URL. */
export class NotLoadedError extends MultiprocessingError {
  readonly module: string;

  constructor({ module, export: name }: FunctionRef, cause?: unknown) {
    super(
      'ERR_MP_FUNCTION',
      `Function ${JSON.stringify(name)} of ${module} has arrived, but cannot be found without waiting for that module. ` +
        'Import the module first, or receive with the form that returns a promise',
      cause === undefined ? {} : { cause },
    );
    this.module = module;
  }
}

export type FunctionOf = (ref: FunctionRef) => object;

/** The function a reference names, if its module is loaded. Else throws NotLoadedError. */
export function functionIfLoaded(ref: FunctionRef): object {
  const { module } = ref;
  // These would bring code along with the message.
  if (/^(data|blob):/i.test(module)) {
    throw new MultiprocessingError(
      'ERR_MP_FUNCTION',
      `A function has arrived that is in no file: ${module.slice(0, 60)}`,
    );
  }
  const sent = functionSentAs(ref);
  if (sent !== undefined) return sent;
  const known = preloadedModule(module);
  if (known !== undefined) return functionIn(known, ref);
  if (isBuiltin(module)) return functionIn(asNamespace(require(module)), ref);
  const common = isPlainFile(module) ? require.cache[fileURLToPath(module)] : undefined;
  if (common?.loaded === true) return functionIn(asNamespace(common.exports), ref);
  throw new NotLoadedError(ref);
}

/** The same; a module that is not known to be loaded is loaded by require(), if it can be. */
export function functionAtOnce(ref: FunctionRef): object {
  try {
    return functionIfLoaded(ref);
  } catch (error) {
    if (!(error instanceof NotLoadedError) || !isPlainFile(ref.module)) throw error;
    return functionIn(asNamespace(load(ref)), ref);
  }
}

/** What `decode` gives. It is called again for each module that had to be imported before a function of it was found. */
export async function decodeLater<T>(
  decode: (functionOf: FunctionOf) => T,
  importModule: (url: string) => Promise<unknown> = preloadModule,
): Promise<T> {
  const imported = new Set<string>();
  for (;;) {
    try {
      return decode(functionIfLoaded);
    } catch (error) {
      if (!(error instanceof NotLoadedError) || imported.has(error.module)) throw error;
      imported.add(error.module);
      await importModule(error.module);
    }
  }
}

/** With a query, require() would make another instance of the module than import() does. */
function isPlainFile(module: string): boolean {
  return /^file:[^?#]*$/.test(module);
}

/** Why require() does not load a module that import() could. */
const onlyImport = new Set([
  'ERR_REQUIRE_ASYNC_MODULE',
  'ERR_REQUIRE_CYCLE_MODULE',
  'ERR_REQUIRE_ESM',
  'ERR_UNKNOWN_FILE_EXTENSION',
]);

function load(ref: FunctionRef): unknown {
  try {
    return require(fileURLToPath(ref.module));
  } catch (error) {
    if (onlyImport.has((error as NodeJS.ErrnoException).code ?? '')) throw new NotLoadedError(ref, error);
    throw error;
  }
}

/** A CommonJS module as import() shows it. */
function asNamespace(exports: unknown): Record<string, unknown> {
  if (types.isModuleNamespaceObject(exports)) return exports as Record<string, unknown>;
  return Object.assign(Object.create(null) as Record<string, unknown>, exports, { default: exports });
}
