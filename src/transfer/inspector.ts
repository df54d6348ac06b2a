/**
 * What V8's inspector knows about a function: the script it was compiled from, where, and the variables it can see.
 *
 * Everything is synchronous and in this process: no port is opened, nothing pauses. The session is connected for one
 * question only. Nothing runs slower for it afterwards (measured), and a debugger that is attached is not disturbed.
 */
import { createRequire } from 'node:module';
import type { Debugger, Runtime, Session } from 'node:inspector';

export interface Place {
  /** The script's URL; '' for code that has none (eval). */
  url: string;
  isModule: boolean;
  line: number; // from 0
  column: number; // from 0
  source: string;
}

const bridge = Symbol.for('multiproc.inspected');
const require = createRequire(import.meta.url);

/** Null in a Node built without the inspector. */
function loadSession(): (new () => Session) | null {
  try {
    return (require('node:inspector') as { Session: new () => Session }).Session;
  } catch {
    return null;
  }
}

/** Why `place` is null: no inspector, or a function that V8 itself or a bound function made. */
export interface Inspected {
  available: boolean;
  bound: boolean;
  place: Place | null;
}

/** Where a function was defined. The first call of a process costs some 20 to 90 ms, later ones about 8. */
export function locate(fn: object): Inspected {
  return inspect<Inspected>(fn, { available: false, bound: false, place: null }, (post, properties) => {
    const bound = properties.some((p) => p.name === '[[TargetFunction]]');
    const location = properties.find((p) => p.name === '[[FunctionLocation]]')?.value?.value as
      Debugger.Location | undefined;
    if (location === undefined) return { available: true, bound, place: null };
    const script = post.scripts(location.scriptId);
    const { scriptSource } = post('Debugger.getScriptSource', {
      scriptId: location.scriptId,
    }) as Debugger.GetScriptSourceReturnType;
    const place = {
      url: script?.url ?? '',
      isModule: script?.isModule ?? false,
      line: location.lineNumber,
      column: location.columnNumber ?? 0,
      source: scriptSource,
    };
    return { available: true, bound, place };
  });
}

/**
 * The values of those variables in `names` that the function can see: its module's own, imported, and those of functions
 * around it. Works while the module is still being evaluated; what is not initialised yet is left out.
 */
export function visibleVariables(fn: object, names: ReadonlySet<string>): Map<string, unknown> {
  return inspect<Map<string, unknown>>(fn, new Map(), (post, properties) => {
    const found = new Map<string, unknown>();
    const scopes = properties.find((p) => p.name === '[[Scopes]]')?.value;
    if (scopes?.objectId === undefined) return found;
    for (const scope of propertiesOf(post, scopes.objectId).result) {
      if (scope.value?.objectId === undefined || scope.value.description === 'Global') continue;
      for (const variable of propertiesOf(post, scope.value.objectId).result) {
        // Innermost scope first: it hides the same name further out.
        if (!names.has(variable.name) || found.has(variable.name) || variable.value?.objectId === undefined)
          continue;
        found.set(variable.name, fetchObject(post, variable.value.objectId));
      }
    }
    return found;
  });
}

interface Post {
  (method: string, parameters?: object): unknown;
  scripts: (id: string) => Debugger.ScriptParsedEventDataType | undefined;
}

function inspect<T>(
  fn: object,
  missing: T,
  ask: (post: Post, internal: Runtime.InternalPropertyDescriptor[]) => T,
): T {
  const SessionClass = loadSession();
  if (SessionClass === null) return missing;
  const session = new SessionClass();
  try {
    session.connect();
  } catch {
    return missing; // --permission without --allow-inspector, --test
  }
  try {
    const scripts = new Map<string, Debugger.ScriptParsedEventDataType>();
    session.on('Debugger.scriptParsed', ({ params }) => scripts.set(params.scriptId, params));
    const post: Post = Object.assign(
      (method: string, parameters?: object) => request(session, method, parameters),
      {
        scripts: (id: string) => {
          // Only this makes V8 tell the scripts' URLs; it tells all of them, which is what the time goes to.
          request(session, 'Debugger.enable');
          return scripts.get(id);
        },
      },
    );
    const { result } = withBridge(
      fn,
      () =>
        post('Runtime.evaluate', {
          expression: `globalThis[Symbol.for(${JSON.stringify(bridge.description)})]`,
        }) as Runtime.EvaluateReturnType,
    );
    if (result.objectId === undefined) return missing; // a library in a vm context of its own
    return ask(post, propertiesOf(post, result.objectId).internalProperties ?? []);
  } finally {
    session.disconnect();
  }
}

/** Posts and gets the answer: an in-process session answers before post() returns. */
function request(session: Session, method: string, parameters?: object): unknown {
  const answer: { error: Error | null; result?: unknown } = { error: null };
  session.post(method, parameters, (error, result) => {
    answer.error = error;
    answer.result = result;
  });
  if (answer.error !== null) throw answer.error;
  return answer.result;
}

function propertiesOf(post: Post, objectId: string): Runtime.GetPropertiesReturnType {
  return post('Runtime.getProperties', { objectId, ownProperties: true }) as Runtime.GetPropertiesReturnType;
}

/** The real object behind the inspector's mirror of it. */
function fetchObject(post: Post, objectId: string): unknown {
  return withBridge(undefined, () => {
    post('Runtime.callFunctionOn', {
      objectId,
      functionDeclaration: `function () { globalThis[Symbol.for(${JSON.stringify(bridge.description)})] = this }`,
      silent: true,
    });
    return (globalThis as Record<symbol, unknown>)[bridge];
  });
}

/** The global object is the one place both sides can reach; nothing stays there. */
function withBridge<T>(value: unknown, use: () => T): T {
  Object.defineProperty(globalThis, bridge, { value, configurable: true, writable: true, enumerable: false });
  try {
    return use();
  } finally {
    Reflect.deleteProperty(globalThis, bridge);
  }
}
