// Ctrl-C in a terminal: one process answers it.
import { expect, test } from 'vitest';
import { describe, fixtures, runScript, scriptFile } from '../support/child.js';
import { forEachStartMethod } from '../support/start-methods.js';

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

forEachStartMethod(({ env, launcher }) => {
  /** What a program prints in a terminal, with the end's code; `^C` is the terminal's echo. */
  async function inTerminal(source: string): Promise<string> {
    const script = scriptFile(`import * as mp from 'multiproc';
      import * as terminal from '${new URL('terminal.mjs', fixtures).href}';
      ${source}`);
    const runner = scriptFile(`import { spawnSync } from 'node:child_process';
      const { stdout, stderr } = spawnSync('python3', ['-c', process.argv[2], process.execPath, ...process.argv.slice(3)], { stdio: ['ignore', 'pipe', 'pipe'] });
      process.stdout.write(stdout);
      process.stderr.write(stderr);`);
    const end = await runScript(new URL(`file://${runner}`), { args: [terminal, ...launcher, script], env });
    expect([end.code, end.stderr], describe(end)).toEqual([0, '']);
    return end.stdout;
  }

  test('a main process that listens decides; children that do not listen go on, and those that do hear it', async () => {
    const said = await inTerminal(`
      const pressed = new Promise((resolve) => process.once('SIGINT', resolve));
      const [up, listening, go, heard] = Array.from({ length: 4 }, () => new mp.Event());
      const results = [mp.run(terminal.parentOfWork, up, go), mp.run(terminal.listen, listening, heard)];
      await up.wait();
      await listening.wait();
      console.log('press');
      await pressed;
      await heard.wait();
      go.set();
      console.log((await Promise.all(results)).join(' '));`);
    expect(said).toBe('press\n^C42 heard\nended 0\n');
  });

  test('a main process that does not listen ends, and all its children with it; nothing is printed', async () => {
    // The terminal is closed, and this has an end, when the last of them has ended.
    const said = await inTerminal(`
      const [up, go] = [new mp.Event(), new mp.Event()];
      mp.run(terminal.parentOfWork, up, go);
      await up.wait();
      console.log('press');`);
    expect(said).toBe('press\n^Cended -2\n');
  });

  test('a SIGINT from a process ends a child', async () => {
    const said = await inTerminal(`
      const [up, go] = [new mp.Event(), new mp.Event()];
      const child = new mp.Process(terminal.work, up, go).start();
      await up.wait();
      child.interrupt();
      console.log(String(await child.join()));`);
    expect(said).toBe('-2\nended 0\n');
  });
});
