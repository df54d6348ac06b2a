/** The Node options a child gets: those of its parent that concern code, not those that concern its command line. */

/** Asked for this one run or this one port: code to evaluate, inspecting, watching, testing, files of variables. */
const notForChildren =
  /^(-e|-p|-pe|-i|-c|--eval|--print|--interactive|--check|--run|--input-type|--env-file(-if-exists)?|--inspect.*|--debug-port|--watch.*|--test.*|--experimental-test.*|--build-snapshot.*|--build-sea)$/;

/** Every option takes its value as `--name=value` or as the next argument, which then does not begin with a dash. */
export function inheritedExecArgv(execArgv: readonly string[] = process.execArgv): string[] {
  const kept: string[] = [];
  let dropping = false;
  for (const argument of execArgv) {
    if (argument.startsWith('-')) dropping = notForChildren.test(argument.split('=', 1)[0]!);
    if (!dropping) kept.push(argument);
  }
  return kept;
}

/** The parent's arguments after its script; with --eval there is no script among them. */
export function inheritedArgv(): string[] {
  const evaluates = process.execArgv.some((a) => /^(-e|-p|-pe|--eval|--print)($|=)/.test(a));
  return process.argv.slice(evaluates ? 1 : 2);
}

/** NODE_OPTIONS without the parent's inspector, whose port is taken. */
export function inheritedNodeOptions(options: string): string {
  return options.replaceAll(/(^|\s)--inspect(-\w+)*(=\S+)?(?=\s|$)/g, '').trim();
}

/** This process's variables, as its children get them: a copy. */
export function ownVariables(): Record<string, string> {
  const env = { ...process.env } as Record<string, string>;
  if (env.NODE_OPTIONS !== undefined) env.NODE_OPTIONS = inheritedNodeOptions(env.NODE_OPTIONS);
  return env;
}

/** Whether modules are loaded before the entry, which are looked up from the working directory. */
export function hasPreloads(execArgv: readonly string[], nodeOptions: string | undefined): boolean {
  const preload =
    /(^|\s)(-r|--require|--import|--loader|--experimental-loader|-C|--experimental-config-file)($|[=\s])/;
  return execArgv.some((a) => preload.test(a)) || preload.test(nodeOptions ?? '');
}
