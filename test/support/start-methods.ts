/** One body of tests for all start methods. */
import { describe as group } from 'vitest';
import * as child from './child.js';

export type StartMethod = 'spawn' | 'forkserver' | 'fork';

/** The runners of child.ts, with a start method for what they run. */
export interface Runners {
  method: StartMethod;
  env: { MULTIPROC_START_METHOD: StartMethod };
  runScript: typeof child.runScript;
  runJson: typeof child.runJson;
  /** Node's arguments before a script's file. */
  launcher: string[];
}

const all: readonly StartMethod[] = ['spawn', 'forkserver', 'fork'];

export function forEachStartMethod(body: (runners: Runners) => void, methods = all): void {
  for (const method of methods) {
    const env = { MULTIPROC_START_METHOD: method };
    const forkCapable = method === 'fork';
    const also = (options: child.ScriptOptions = {}) => ({
      forkCapable,
      ...options,
      env: { ...env, ...options.env },
    });
    group(method, () => {
      body({
        method,
        env,
        launcher: forkCapable ? child.runCommand : [],
        runScript: (script, options) => child.runScript(script, also(options)),
        runJson: (script, options) => child.runJson(script, also(options)),
      });
    });
  }
}
