/** One body of tests for pools of processes, however they are started, and of threads. */
import { describe as group } from 'vitest';
import { fixtures } from './child.js';
import * as child from './child.js';

/** `make(options)` gives the pool, `fns` the functions of test/fixtures/pool.mjs. */
export const head = (make: string): string => `
import * as mp from 'multiproc';
import * as fns from '${new URL('pool.mjs', fixtures).href}';
const out = (value) => console.log(JSON.stringify(value));
const make = (options) => ${make};
const failure = (promise) => Promise.resolve(promise).then((value) => ({ name: 'none', value }), (e) => e);
const told = async (promise) => { const e = await failure(promise); return [e?.name, e?.code ?? null, e?.message ?? String(e)] };
const alive = (pid) => { try { process.kill(pid, 0); return true } catch { return false } };
const until = async (holds) => { while (!holds()) await new Promise((r) => setTimeout(r, 2)) };
const thrown = (fn) => { try { fn(); return 'nothing' } catch (e) { return [e.name, e.code ?? null, e.message] } };
`;

export interface PoolGround {
  ground: 'forkserver' | 'spawn' | 'fork' | 'threads';
  head: string;
  runJson: typeof child.runJson;
  runScript: typeof child.runScript;
  /** The start method, and Node's arguments before a script's file: for scripts that are run otherwise. */
  env: Record<string, string>;
  launcher: string[];
}

export function forEachPool(
  body: (ground: PoolGround) => void,
  grounds: readonly PoolGround['ground'][] = ['forkserver', 'spawn', 'fork', 'threads'],
): void {
  for (const ground of grounds) {
    const forkCapable = ground === 'fork';
    const env: Record<string, string> = ground === 'threads' ? {} : { MULTIPROC_START_METHOD: ground };
    const also = (options: child.ScriptOptions = {}) => ({
      forkCapable,
      ...options,
      env: { ...env, ...options.env },
    });
    group(ground, () => {
      body({
        ground,
        env,
        launcher: forkCapable ? child.runCommand : [],
        head: head(ground === 'threads' ? 'new mp.ThreadPool(options)' : 'new mp.Pool(options)'),
        runScript: (script, options) => child.runScript(script, also(options)),
        runJson: (script, options) => child.runJson(script, also(options)),
      });
    });
  }
}
