/** The Node options a child gets: those of its parent that concern code, not those that concern its command line. */

/** Asked for this one run or this one port: code to evaluate, inspecting, watching, testing, files of variables. */
const notForChildren =
  /^(-e|-p|-pe|-i|-c|--eval|--print|--interactive|--check|--run|--input-type|--env-file(-if-exists)?|--inspect.*|--debug-port|--watch.*|--test.*|--experimental-test.*|--build-snapshot.*|--build-sea)$/;
const evaluates = /^(-e|-p|-pe|--eval|--print)$/;
/** Modules that are loaded before the entry, and files of options, which may name some. */
const preloads =
  /^(-r|--require|--import|--loader|--experimental-loader|-C|--(experimental-)?(default-)?config-file)$/;

export interface NodeOption {
  /** As Node reads it: dashes, no underscores. */
  name: string;
  /** `--name=value`, or the name and its value; more than two make no sense to Node, either. */
  words: string[];
}

/** What a word of a command line names, if it is an option. */
export function optionName(word: string): string {
  if (!word.startsWith('--')) return word;
  return word.split('=', 1)[0]!.replaceAll('_', '-');
}

/** Every option takes its value as `--name=value` or as the next argument, which then does not begin with a dash. */
export function readOptions(words: readonly string[]): NodeOption[] {
  const options: NodeOption[] = [];
  for (const word of words) {
    if (word.startsWith('-') || options.length === 0) options.push({ name: optionName(word), words: [word] });
    else options.at(-1)!.words.push(word);
  }
  return options;
}

/** NODE_OPTIONS by Node's own rule: spaces separate, quotes group, a backslash escapes within quotes only. */
export function splitNodeOptions(text: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    let c = text[i]!;
    if (c === '"') {
      quoted = !quoted;
      continue;
    }
    if (c === ' ' && !quoted) {
      if (word !== null) words.push(word);
      word = null;
      continue;
    }
    if (c === '\\' && quoted) c = text[++i] ?? '';
    word = (word ?? '') + c;
  }
  if (word !== null) words.push(word);
  return words;
}

/** The inverse. */
export function joinNodeOptions(words: readonly string[]): string {
  return words
    .map((word) => (/[ "]/.test(word) ? `"${word.replaceAll(/["\\]/g, String.raw`\$&`)}"` : word))
    .join(' ');
}

/** The names of all options a Node has: those of its command line, and those of its variable. */
export function optionNames(execArgv: readonly string[], nodeOptions: string | undefined): string[] {
  return readOptions([...execArgv, ...splitNodeOptions(nodeOptions ?? '')]).map(({ name }) => name);
}

export function inheritedExecArgv(execArgv: readonly string[] = process.execArgv): string[] {
  return readOptions(execArgv)
    .filter(({ name }) => !notForChildren.test(name))
    .flatMap(({ words }) => words);
}

/** The parent's arguments after its script; with --eval there is no script among them. */
export function inheritedArgv(): string[] {
  const noScript = readOptions(process.execArgv).some(({ name }) => evaluates.test(name));
  return process.argv.slice(noScript ? 1 : 2);
}

/** NODE_OPTIONS without the parent's inspector, whose port is taken, and the like. */
export function inheritedNodeOptions(options: string): string {
  const words = splitNodeOptions(options);
  const kept = inheritedExecArgv(words);
  return kept.length === words.length ? options : joinNodeOptions(kept);
}

/** This process's variables, as its children get them: a copy. */
export function ownVariables(): Record<string, string> {
  const env = { ...process.env } as Record<string, string>;
  if (env.NODE_OPTIONS !== undefined) env.NODE_OPTIONS = inheritedNodeOptions(env.NODE_OPTIONS);
  return env;
}

/** Whether modules are loaded before the entry, which are looked up from the working directory. */
export function hasPreloads(execArgv: readonly string[], nodeOptions: string | undefined): boolean {
  return optionNames(execArgv, nodeOptions).some((name) => preloads.test(name));
}
