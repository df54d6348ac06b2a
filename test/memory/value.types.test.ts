// What the compiler says of values: checked by `tsc -p tsconfig.test.json`, never run. Each @ts-expect-error is a test.
import { expect, test } from 'vitest';
import type { Guard, Lock, RawValue, RLock, RLockGuard, Value, ValueOf } from '../../src/index.js';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(claim: Same<A, B>): boolean => claim;

/** Compiled only. */
export function types(
  V: typeof Value,
  R: typeof RawValue,
  lock: Lock,
  rlock: RLock,
  big: Value<'q'>,
  char: Value<'u'>,
  flag: Value<'?'>,
  float: Value<'d'>,
  byte: Value<'c'>,
): void {
  same<ValueOf<'b' | 'B' | 'h' | 'H' | 'i' | 'I' | 'f' | 'd' | 'c'>, number>(true);
  same<ValueOf<'int8' | 'uint32' | 'float32' | 'float64' | 'bytes'>, number>(true);
  same<ValueOf<'q' | 'Q' | 'l' | 'L' | 'bigint64' | 'biguint64'>, bigint>(true);
  same<ValueOf<'?'>, boolean>(true);
  same<ValueOf<'bool'>, boolean>(true);
  same<ValueOf<'u' | 'utf16'>, string>(true);

  const int = new V('i', 0);
  const before: number = int.add(1);
  const next: number = int.update((v: number) => v * 2);
  const was: bigint = big.add(5);
  const also: bigint = big.compareExchange(1, 2n);
  const text: string = char.value;
  const on: boolean = flag.exchange(true);
  const half: number = float.update((v) => v / 2);
  const code: number = byte.value;
  big.value = 5n;
  byte.value = 65;
  new R('float64', 1.5).value = 2;
  new V('u');
  void [before, next, was, also, text, on, half, code];

  // @ts-expect-error no such type
  new V('x');
  // @ts-expect-error a string is no number
  new V('i', '5');
  // @ts-expect-error a BigInt is no number
  int.value = 5n;
  // @ts-expect-error floats have no atomic add
  float.add(1);
  // @ts-expect-error booleans have none
  flag.add(true);
  // @ts-expect-error characters have none
  char.add('a');
  // @ts-expect-error a boolean is true or false
  flag.value = 1;
  // @ts-expect-error a character is a string
  char.value = 65;
  // @ts-expect-error update() is synchronous
  int.update(async (v) => v + 1);
  // @ts-expect-error a RawValue has no lock
  void new R('i').lock;

  const guard: Promise<Guard> = lock.acquire({ timeout: 5, signal: new AbortController().signal });
  const now: Guard | null = lock.tryAcquire();
  const inner: RLockGuard = rlock.acquireSync(5).acquire();
  const back: Promise<string> = lock.runExclusive(async () => 'text');
  const count: number = lock.runExclusiveSync(() => 5);
  void [guard, now, inner, back, count];
  // @ts-expect-error milliseconds are a number
  void lock.acquire({ timeout: '5' });
  // @ts-expect-error a blocking wait cannot be aborted
  lock.acquireSync({ signal: new AbortController().signal });
  // @ts-expect-error guards come from locks
  void lock.abandoned;
}

test('the types compile', () => {
  expect(types).toBeTypeOf('function'); // what it says is checked by the compiler, in `npm run lint`
});
