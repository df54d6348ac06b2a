/** What a forked child has from its requester, not from the server: who it is to the system, and where it runs. */
import { native } from '../../native/load.js';
import type { Surroundings } from '../launch.js';

/** Node keeps its pid from its start, and the parent it knows would be the server. */
export function takeIdentity(pid: number, requester: number): void {
  const began = performance.now();
  define('pid', pid);
  define('ppid', requester);
  define('uptime', () => (performance.now() - began) / 1000);
}

export function takeSurroundings({ argv, env, cwd, umask }: Surroundings): void {
  process.argv.splice(1, Infinity, ...argv);
  if (env !== null) takeVariables(env);
  if (cwd !== null) process.chdir(cwd);
  if (umask !== null) process.umask(umask);
}

export function takeVariables(env: Record<string, string>): void {
  const own = process.env;
  for (const name of Object.keys(own)) if (!Object.hasOwn(env, name)) Reflect.deleteProperty(own, name);
  for (const [name, value] of Object.entries(env)) if (own[name] !== value) own[name] = value;
}

/** Not process.umask(), which sets it to something else for a moment, for all threads. */
export function currentUmask(): number | null {
  const umask = native.umask();
  return umask < 0 ? null : umask; // too few descriptors, or no /proc: the server's is as good
}

function define(key: 'pid' | 'ppid' | 'uptime', value: unknown): void {
  Reflect.deleteProperty(process, key); // Node's own ppid would stay a look at the system
  Object.defineProperty(process, key, { value, enumerable: true, configurable: true, writable: false });
}
