/** What a forked child has from its requester, not from the server: who it is to the system, and where it runs. */
import { readFileSync } from 'node:fs';
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
  for (const name of Object.keys(process.env)) if (!(name in env)) Reflect.deleteProperty(process.env, name);
  for (const [name, value] of Object.entries(env)) if (process.env[name] !== value) process.env[name] = value;
  if (cwd !== null) process.chdir(cwd);
  if (umask !== null) process.umask(umask);
}

/** Not process.umask(), which sets it to something else for a moment, for all threads. */
export function currentUmask(): number | null {
  try {
    const line = /^Umask:\s*([0-7]+)/m.exec(readFileSync('/proc/self/status', 'latin1'));
    return line === null ? null : Number.parseInt(line[1]!, 8);
  } catch {
    return null; // too few descriptors, or no /proc: the server's is as good
  }
}

function define(key: 'pid' | 'ppid' | 'uptime', value: unknown): void {
  Reflect.deleteProperty(process, key); // Node's own ppid would stay a look at the system
  Object.defineProperty(process, key, { value, enumerable: true, configurable: true, writable: false });
}
