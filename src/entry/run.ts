#!/usr/bin/env node
/**
 * npx multiproc run [node options] script [arguments]: the program in a Node that can fork itself, see docs/processes.md.
 *
 * This process becomes that Node: standard streams, signals, pid and exit code are the program's own.
 */
import { fileURLToPath } from 'node:url';
import { native } from '../native/load.js';
import { splitCommand } from '../process/fork/command.js';
import { runFlags } from '../process/fork/capable.js';

const usage = `Usage: multiproc run [node options] script [arguments]
       multiproc run [node options] - [arguments] < script

Runs a program so that start method 'fork' is available in it: mp.getContext('fork').
`;

const [command, ...given] = process.argv.slice(2);
const isHelp = (word: string | undefined): boolean => word === '--help' || word === '-h';
const split = command === 'run' && !isHelp(given[0]) ? splitCommand(given) : null;
if (split === null) {
  const asked = command === undefined || isHelp(command) || (command === 'run' && isHelp(given[0]));
  process[asked ? 'stdout' : 'stderr'].write(usage);
  process.exit(asked ? 0 : 2);
}
if (process.platform !== 'linux') {
  process.stderr.write('multiproc run: forking is possible on Linux only\n');
  process.exit(1);
}

// Not --import: with that, Node would load scripts by other rules than without it.
const preload = fileURLToPath(new URL('fork-main.cjs', import.meta.url));
const flags = [...runFlags(), `--require=${preload}`];
const env: NodeJS.ProcessEnv = {
  ...process.env,
  MULTIPROC_RUN: `${flags.length}${process.env.UV_USE_IO_URING === undefined ? '' : ' own'}`,
  // Its rings would be shared with the children.
  UV_USE_IO_URING: '0',
};
try {
  native.exec(
    process.execPath,
    [process.execPath, ...flags, ...split.options, split.script, ...split.args],
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`])),
  );
} catch (error) {
  process.stderr.write(`multiproc run: ${process.execPath} cannot be started: ${String(error)}\n`);
  process.exit(1);
}
