// Argument and result types follow the function. Checked by tsc (npm run lint); nothing runs.
import type { AsyncResult, Pool, ProcessPoolExecutor, ThreadPool } from 'multiproc';
import { expectTypeOf, test } from 'vitest';

declare const pool: Pool;
declare const threads: ThreadPool;
declare const executor: ProcessPoolExecutor;
declare function size(text: string, scale?: number): number;
declare function load(path: string): Promise<{ path: string; bytes: Uint8Array }>;

const unused = (): void => {
  expectTypeOf(pool.apply(size, ['a', 2])).toEqualTypeOf<Promise<number>>();
  expectTypeOf(pool.apply(load, ['a'])).toEqualTypeOf<Promise<{ path: string; bytes: Uint8Array }>>();
  expectTypeOf(pool.applyAsync(load, ['a'])).toEqualTypeOf<
    AsyncResult<{ path: string; bytes: Uint8Array }>
  >();
  expectTypeOf(pool.map(size, ['a', 'b'])).toEqualTypeOf<Promise<number[]>>();
  expectTypeOf(threads.starmap(size, [['a', 1]])).toEqualTypeOf<Promise<number[]>>();
  expectTypeOf(pool.imap(load, new Set(['a']))).toEqualTypeOf<
    AsyncGenerator<{ path: string; bytes: Uint8Array }, void, undefined>
  >();
  expectTypeOf(pool.broadcast(size, 'a')).toEqualTypeOf<Promise<number[]>>();
  expectTypeOf(executor.submit(size, 'a')).toEqualTypeOf<AsyncResult<number>>();
  // @ts-expect-error -- no number
  void pool.apply(size, [1]);
  // @ts-expect-error -- no number
  void pool.map(size, [1]);
  // @ts-expect-error -- no boolean
  void pool.starmap(size, [['a', true]]);
  // @ts-expect-error -- no number
  void pool.broadcast(size, 1);
};

test('types follow the function', () => {
  expectTypeOf(unused).toBeFunction();
});
