/** Whether a process can come from a forkserver: it has the Node options and variables that the server was started with. */
import { hasPreloads, inheritedExecArgv, optionNames } from '../exec-args.js';

/** Read by Node, its libraries or the loader when a program starts, and never again. */
const readAtStart =
  /^(NODE_(?!ENV$|TLS_REJECT_UNAUTHORIZED$|UNIQUE_ID$)|LD_|UV_USE|MALLOC_|GLIBC_|OPENSSL_|SSL_CERT_|ICU_|LANG$|LANGUAGE$|LC_)/;
/** Write their file at an exit that forked processes do not go through, or are refused by the addon. */
const notForForked = /^--(cpu-prof|heap-prof|prof$|trace-event|permission|experimental-permission)/;

/** What a process's variables mean for a Node that starts with them. */
function startVariables(env: Readonly<Record<string, string | undefined>>): string {
  return JSON.stringify(
    Object.keys(env)
      .filter((name) => readAtStart.test(name) && env[name] !== undefined)
      .sort()
      .map((name) => [name, env[name]]),
  );
}

const startedWith = startVariables(process.env);
const execArgv = inheritedExecArgv();
// Loaders run in a thread of their own, which a fork does not take along.
const neverForks =
  hasPreloads(execArgv, process.env.NODE_OPTIONS) ||
  optionNames(execArgv, process.env.NODE_OPTIONS).some((name) => notForForked.test(name)) ||
  process.env.NODE_V8_COVERAGE !== undefined;

/** `env`: all its variables. What does not fit is spawned. */
export function mayFork(
  options: readonly string[] | undefined,
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  if (neverForks) return false;
  if (options !== undefined && JSON.stringify(options) !== JSON.stringify(execArgv)) return false;
  return startVariables(env) === startedWith;
}
