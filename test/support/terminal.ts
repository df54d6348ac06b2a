/** Programs in a terminal of their own. */
import { expect } from 'vitest';
import { describe, runScript, scriptFile } from './child.js';

/** Runs a program in a terminal of its own, presses Ctrl-C each time it says `press`, and prints what it printed and its end. */
const terminal = `
import os, pty, sys
pid, master = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
said = b''
while True:
    try:
        more = os.read(master, 4096)
    except OSError:
        break
    if not more:
        break
    if b'press' in more:
        os.write(master, b'\\x03')
    said += more
status = os.waitpid(pid, 0)[1]
print(said.decode().replace('\\r\\n', '\\n') + 'ended', os.waitstatus_to_exitcode(status))
`;

/** What a program prints in a terminal, with the end's code; `^C` is the terminal's echo. */
export async function inTerminal(
  source: string,
  launcher: string[],
  env: Record<string, string>,
): Promise<string> {
  const script = scriptFile(source);
  const runner = scriptFile(`import { spawnSync } from 'node:child_process';
    const { stdout, stderr } = spawnSync('python3', ['-c', process.argv[2], process.execPath, ...process.argv.slice(3)], { stdio: ['ignore', 'pipe', 'pipe'] });
    process.stdout.write(stdout);
    process.stderr.write(stderr);`);
  const end = await runScript(new URL(`file://${runner}`), { args: [terminal, ...launcher, script], env });
  expect([end.code, end.stderr], describe(end)).toEqual([0, '']);
  return end.stdout;
}
