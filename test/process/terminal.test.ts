// Ctrl-C in a terminal: one process answers it.
import { expect, test } from 'vitest';
import { fixtures } from '../support/child.js';
import { forEachStartMethod } from '../support/start-methods.js';
import { inTerminal as runInTerminal } from '../support/terminal.js';

forEachStartMethod(({ env, launcher }) => {
  const inTerminal = (source: string): Promise<string> =>
    runInTerminal(
      `import * as mp from 'multiproc';
      import * as terminal from '${new URL('terminal.mjs', fixtures).href}';
      ${source}`,
      launcher,
      env,
    );

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
