/** Programs in a terminal of their own. */
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { describe, runScript, scriptFile } from './child.js';

const terminal = fileURLToPath(new URL('terminal.py', import.meta.url));

/** What a program prints in a terminal, with the end's code; `^C` is the terminal's echo. */
export async function inTerminal(
  source: string,
  launcher: string[],
  env: Record<string, string>,
): Promise<string> {
  const script = scriptFile(source);
  const runner = scriptFile(`import { spawnSync } from 'node:child_process';
    const { stdout, stderr } = spawnSync('python3', [process.argv[2], process.execPath, ...process.argv.slice(3)], { stdio: ['ignore', 'pipe', 'pipe'] });
    process.stdout.write(stdout);
    process.stderr.write(stderr);`);
  const end = await runScript(new URL(`file://${runner}`), { args: [terminal, ...launcher, script], env });
  expect([end.code, end.stderr], describe(end)).toEqual([0, '']);
  return end.stdout;
}
