// Argument and result types follow the function. Checked by tsc (npm run lint); nothing runs.
import type { AsyncResult, Pool, ProcessPoolExecutor, ThreadPool } from 'multiproc';
import { expectTypeOf, test } from 'vitest';

declare const pool: Pool;
declare const threads: ThreadPool;
declare const executor: ProcessPoolExecutor;
declare function size(text: string, scale?: number): number;
declare function nothing(): string;
declare function id<T>(item: T): T;
declare const address: URL;
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
  expectTypeOf(pool.apply(nothing)).toEqualTypeOf<Promise<string>>();
  expectTypeOf(pool.apply(nothing, [], { timeout: 1 })).toEqualTypeOf<Promise<string>>();
  expectTypeOf(pool.map(id, [1, 2])).toEqualTypeOf<Promise<number[]>>();
  expectTypeOf(pool.map(address, [1, 2])).toEqualTypeOf<Promise<unknown[]>>();
  expectTypeOf(pool.imap(id, new Set(['a']))).toEqualTypeOf<AsyncGenerator<string, void, undefined>>();
  expectTypeOf(executor.map(size, ['a'], [1])).toEqualTypeOf<AsyncGenerator<number, void, undefined>>();
  expectTypeOf(executor.map(size, ['a'])).toEqualTypeOf<AsyncGenerator<number, void, undefined>>();
  expectTypeOf(executor.map(load, ['a'], { timeout: 1 })).toEqualTypeOf<
    AsyncGenerator<{ path: string; bytes: Uint8Array }, void, undefined>
  >();
  expectTypeOf(executor.map(address, [1], ['a'], { chunksize: 2 })).toEqualTypeOf<
    AsyncGenerator<unknown, void, undefined>
  >();
  // @ts-expect-error -- an argument is missing
  void pool.apply(size);
  // @ts-expect-error -- an argument is missing
  void pool.applyAsync(load, undefined, { timeout: 1 });
  // @ts-expect-error -- no iterable
  void pool.map(size, { length: 1, 0: 'a' });
  // @ts-expect-error -- no numbers
  void executor.map(size, [1]);
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
