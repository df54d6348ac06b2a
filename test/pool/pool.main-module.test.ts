// Functions of the program itself: workers import its main module once more, and do not become the program.
import { expect, test } from 'vitest';
import { describe, runScript } from '../support/child.js';
import { forEachPool } from '../support/pools.js';

forEachPool(
  ({ runJson, ground }) => {
    const pool = ground === 'threads' ? 'ThreadPool' : 'Pool';

    test('what isMainProcess guards is done once, by the program', async () => {
      const got = await runJson(`
        import * as mp from 'multiproc';
        export const square = (n) => n * n;
        export const isMain = () => mp.isMainProcess;
        if (mp.isMainProcess) {
          const pool = new mp.${pool}(2);
          const got = [await pool.map(square, [1, 2, 3]), await pool.broadcast(isMain), mp.isMainProcess];
          await pool.terminate();
          console.log(JSON.stringify(got));
        }`);
      expect(got).toEqual([[1, 4, 9], [false, false], true]);
    });

    test('unguarded, a pool in a worker is an error and not a pool in each', async () => {
      const end = await runScript(
        `
        import * as mp from 'multiproc';
        export const square = (n) => n * n;
        const pool = new mp.${pool}(1);
        const error = await pool.map(square, [1]).catch((error) => error);
        await pool.terminate();
        console.log(error.code);`,
        { env: ground === 'threads' ? {} : { MULTIPROC_START_METHOD: ground } },
      );
      expect(end.stdout, describe(end)).toBe('ERR_MP_UNGUARDED\n');
    });
  },
  ['forkserver', 'spawn', 'threads'],
);
