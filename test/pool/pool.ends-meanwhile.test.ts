// Workers that end by themselves in the moment in which the pool would end them.
import { expect, test } from 'vitest';
import { forEachPool } from '../support/pools.js';

forEachPool(
  ({ runJson, head }) => {
    test('terminate() when initializers have just failed', async () => {
      const got = await runJson(`${head}
        const messages = new Set();
        for (let i = 0; i < 50; i++) {
          const pool = make({ processes: 2, initializer: fns.failToPrepare });
          messages.add((await told(pool.apply(fns.echo, [i])))[2]);
          await pool.terminate();
        }
        await new Promise((resolve) => setTimeout(resolve, 600)); // a late SIGKILL would have its turn
        out([...messages]);`);
      expect(got).toEqual(['cannot prepare']);
    });
  },
  ['forkserver', 'threads'],
);
