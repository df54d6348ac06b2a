// Value and RawValue: every type code, its range, what is refused, and the atomic steps.
import { expect, test } from 'vitest';
import { runJson } from '../support/child.js';
import { closedError, grounds, head, rangeError, typeError } from '../support/sync.js';

/** BigInts and odd numbers as text; the expectation goes through the same. */
const show = `const show = (x) => typeof x === 'bigint' ? x + 'n' : Object.is(x, -0) ? '-0' : typeof x === 'number' ? String(x) : x;
`;

const integers: Record<string, [name: string, min: number, max: number]> = {
  b: ['int8', -128, 127],
  B: ['uint8', 0, 255],
  h: ['int16', -32768, 32767],
  H: ['uint16', 0, 65535],
  i: ['int32', -2147483648, 2147483647],
  I: ['uint32', 0, 4294967295],
};
const bigs: Record<string, [name: string, min: bigint, max: bigint]> = {
  q: ['bigint64', -(2n ** 63n), 2n ** 63n - 1n],
  Q: ['biguint64', 0n, 2n ** 64n - 1n],
  l: ['bigint64', -(2n ** 63n), 2n ** 63n - 1n],
  L: ['biguint64', 0n, 2n ** 64n - 1n],
};

test.each(['Value', 'RawValue'])(
  '%s: integers keep their range, and what is refused changes nothing',
  async (kind) => {
    const got = await runJson(`${head}${show}
    const got = {}, objects = [];
    for (const [code, [name, min, max]] of Object.entries(${JSON.stringify(integers)})) {
      const v = new mp.${kind}(code), seen = [v.value, v.typecode];
      for (const x of [min, max, 1, -0]) { v.value = x; seen.push(show(v.value)) }
      v.value = 7;
      const range = [min - 1, max + 1, 0.5, NaN, Infinity, -Infinity, 1e300, 2 ** 53].map((x) => thrown(() => (v.value = x)));
      const type = ['5', '', null, undefined, true, 5n, [], [5], {}, { valueOf: () => 5 }, () => 5, Symbol('s'), new Date()].map((x) => thrown(() => (v.value = x)));
      const steps = [min - 1, NaN, '5', 5n].flatMap((x) => [thrown(() => v.exchange(x)), thrown(() => v.compareExchange(x, 1)), thrown(() => v.compareExchange(7, x))]);
      seen.push([...new Set(range)].join(), [...new Set(type)].join(), steps.join(), v.value);
      const named = new mp.${kind}(name, max);
      const before = native.census().objects;
      const born = [max + 1, '5', null].map((x) => thrown(() => new mp.${kind}(code, x)));
      seen.push(named.value === max, named.typecode, ...born, native.census().objects - before);
      got[code] = seen;
    }
    out(got);`);
    const stepErrors = [rangeError, rangeError, typeError, typeError].flatMap((e) => [e, e, e]).join();
    for (const [code, [, min, max]] of Object.entries(integers)) {
      expect(got[code], code).toEqual([
        ...[0, code, String(min), String(max), '1', '0', rangeError, typeError, stepErrors, 7],
        ...[true, code, rangeError, typeError, typeError, 0],
      ]);
    }
  },
);

test.each(['Value', 'RawValue'])(
  '%s: 64-bit integers read as BigInt and take BigInts and safe integers',
  async (kind) => {
    const got = await runJson(`${head}${show}
    const got = {};
    for (const [code, [name, min, max]] of Object.entries({ ${Object.entries(bigs)
      .map(([code, [name, min, max]]) => `${code}: ['${name}', ${min}n, ${max}n]`)
      .join()} })) {
      const v = new mp.${kind}(code), seen = [show(v.value), v.typecode];
      for (const x of [min, max, 1n, 5, Number.MAX_SAFE_INTEGER, -0]) { v.value = x; seen.push(show(v.value)) }
      v.value = 7n;
      const range = [min - 1n, max + 1n, 2n ** 70n, 2 ** 53, 0.5, NaN, Infinity].map((x) => thrown(() => (v.value = x)));
      const type = ['5', null, true, undefined, {}, [1n]].map((x) => thrown(() => (v.value = x)));
      seen.push([...new Set(range)].join(), [...new Set(type)].join(), show(v.value), new mp.${kind}(name, max).value === max);
      v.value = max;
      seen.push(thrown(() => v.add(1n)), thrown(() => v.add(1)), thrown(() => v.add(2n ** 100n)), v.value === max, show(v.add(-(max - 3n))), show(v.add(4)), show(v.value));
      seen.push(thrown(() => v.add(0.5)), thrown(() => v.add('1')), thrown(() => v.add(NaN)), show(v.exchange(9)), show(v.compareExchange(9n, 10)), show(v.compareExchange(9, 11n)), show(v.value));
      got[code] = seen;
    }
    out(got);`);
    for (const [code, [, min, max]] of Object.entries(bigs)) {
      expect(got[code], code).toEqual([
        ...['0n', code, `${min}n`, `${max}n`, '1n', '5n', `${Number.MAX_SAFE_INTEGER}n`, '0n'],
        ...[rangeError, typeError, '7n', true],
        ...[rangeError, rangeError, rangeError, true, `${max}n`, '3n', '7n'],
        ...[rangeError, typeError, rangeError, '7n', '9n', '10n', '10n'],
      ]);
    }
  },
);

test('floats, booleans, bytes and characters', async () => {
  const got = await runJson(`${head}${show}
    const given = (code, ...xs) => { const v = new mp.Value(code); return [show(v.value), ...xs.map((x) => { const error = thrown(() => (v.value = x)); return error === 'fine' ? show(v.value) : error })] };
    const none = (code, ...more) => { const v = new mp.Value(code); return ['add', 'exchange', 'compareExchange'].map((m) => thrown(() => v[m](...more, ...more))) };
    out({
      f: given('f', 1.5, 0.1, -0, NaN, Infinity, -Infinity, 3.4028234663852886e38, 3.5e38, -1e39, 1e-60, 2 ** 53, '1', 1n, null, true),
      d: given('d', 1.5, 0.1, -0, NaN, Infinity, -Infinity, Number.MAX_VALUE, Number.MIN_VALUE, '1', 1n, undefined, {}),
      '?': given('?', true, false, 1, 0, 'true', null, undefined, {}),
      c: given('c', 255, 0, 'A', 'ÿ', 'Ā', '', 'AB', 256, -1, 1.5, NaN, Buffer.from('Z'), new Uint8Array(0), new Uint8Array(2), 5n, null, true, [65]),
      u: given('u', 'x', 'é', '\\ud83d', '\\0', '', 'ab', '😀', 65, null, ['a']),
      atomic: [none('f', 1), none('d', 1), none('?', true), none('c', 65), none('u', 'a')],
      names: ['float32', 'float64', 'bool', 'bytes', 'utf16'].map((name) => new mp.RawValue(name).typecode),
      flag: (() => { const v = new mp.Value('?'); return [v.exchange(true), v.compareExchange(true, false), v.value, v.compareExchange(true, true), v.value] })(),
      first: [new mp.Value('f', 0.5).value, new mp.Value('?', true).value, new mp.Value('c', 'a').value, new mp.Value('u', 'a').value],
    });`);
  const [no, bad] = [rangeError, typeError];
  const f = Math.fround(0.1);
  expect(got.f).toEqual([
    ...['0', '1.5', `${f}`, '-0', 'NaN', 'Infinity', '-Infinity', '3.4028234663852886e+38', no, no, '0'],
    ...['9007199254740992', bad, bad, bad, bad],
  ]);
  expect(got.d).toEqual([
    ...['0', '1.5', '0.1', '-0', 'NaN', 'Infinity', '-Infinity', '1.7976931348623157e+308', '5e-324'],
    ...[bad, bad, bad, bad],
  ]);
  expect(got['?']).toEqual([false, true, false, ...Array(6).fill(bad)]);
  expect(got.c).toEqual([
    ...['0', '255', '0', '65', '255', no, bad, bad, no, no, no, no, '90', bad, bad, bad, bad, bad, bad],
  ]);
  expect(got.u).toEqual(['\0', 'x', 'é', '\ud83d', '\0', no, no, no, bad, bad, bad]);
  expect(got.atomic).toEqual([[bad, bad, bad], [bad, bad, bad], ...Array(3).fill([bad, 'fine', 'fine'])]);
  expect(got.names).toEqual(['f', 'd', '?', 'c', 'u']);
  expect(got.flag).toEqual([false, true, false, false, false]);
  expect(got.first).toEqual([0.5, true, 97, 'a']);
});

test('types that are none, and values that are none, are refused before anything is made', async () => {
  const got = await runJson(`${head}
    const types = ['x', '', 'int', 'Int32', 'I32', 'ii', 5, null, undefined, {}, ['i'], Symbol('i'), 'constructor', '__proto__', 'toString', Object.create(null), { toString() { throw new Error('trap') } }, mp.Value, 5n];
    const got = types.map((t) => thrown(() => new mp.Value(t))).concat(types.map((t) => thrown(() => new mp.RawValue(t, 1))));
    let message = '';
    try { new mp.Value('x') } catch (e) { message = e.message }
    const message2 = (() => { try { new mp.Value('i', '5') } catch (e) { return e.message } })();
    const message3 = (() => { try { new mp.RawValue('h', 70000) } catch (e) { return e.message } })();
    out([[...new Set(got)], message, message2, message3, native.arenaInfo() === null ? 0 : native.census().objects]);`);
  expect(got[0]).toEqual([typeError]);
  expect(got[1]).toMatch(/^new Value\(\): no such type: "x"; there are 'b' int8, .*'u' utf16$/);
  expect(got[2]).toBe('new Value(): int32 takes a number, not "5"');
  expect(got[3]).toBe('new RawValue(): 70000 is not an integer from -32768 to 32767 (int16)');
  expect(got[4]).toBe(0);
});

test('add: sums out of range are refused and change nothing; every addend that fits is taken', async () => {
  const got = await runJson(`${head}
    const got = [];
    for (const [code, [, min, max]] of Object.entries(${JSON.stringify(integers)})) {
      const v = new mp.Value(code, max), seen = [thrown(() => v.add(1)), thrown(() => v.add(2 ** 52)), v.value === max];
      seen.push(v.add(min - max) === max, v.value === min, thrown(() => v.add(-1)), v.value === min, v.add(0) === min, v.add(max - min) === min, v.value === max);
      seen.push(...[NaN, 0.5, Infinity, 2 ** 53].map((x) => thrown(() => v.add(x))), ...['1', 1n, null, undefined, true].map((x) => thrown(() => v.add(x))), thrown(() => v.add()), v.value === max);
      got.push(seen);
    }
    out(got);`);
  const [no, bad] = [rangeError, typeError];
  expect(got).toEqual(
    Array(6).fill([
      ...[no, no, true, true, true, no, true, true, true, true],
      ...[no, no, no, no, bad, bad, bad, bad, bad, bad, true],
    ]),
  );
});

test.each(grounds)('add, compareExchange and update count exactly among %s peers', async (ground) => {
  const got = await runJson(
    `${head}
    const got = [];
    const run = async (make, ways) => {
      const v = make(), ready = new mp.RawValue('i', 0), dummy = new mp.Lock();
      await Promise.all(ways.map((way) => startPeer('${ground}', peers.count, dummy, v, 20000, way, ready, ways.length).done));
      got.push(String(v.value));
    };
    await run(() => new mp.Value('q', 0), ['add', 'add', 'compareExchange']);
    await run(() => new mp.RawValue('H', 0), ['add', 'compareExchange', 'compareExchange']);
    await run(() => new mp.Value('d', 0), ['update', 'update']);
    out(got);`,
    { timeout: 50_000 },
  );
  expect(got).toEqual(['60000', '60000', '40000']);
});

test('exchange hands a token on: each one is taken once', async () => {
  const got = await runJson(
    `${head}
    const box = new mp.Value('i', 0), stop = new mp.Value('i', 0);
    const takers = [1, 2].map(() => startPeer('thread', peers.takeTokens, box, stop));
    let put = 0;
    for (let i = 1; i <= 2000; i++) { while (box.compareExchange(0, i) !== 0) await turns(1); put += i }
    await until(() => box.value === 0);
    stop.value = 1;
    const taken = await Promise.all(takers.map((t) => t.done));
    out([put, taken[0] + taken[1]]);`,
    { timeout: 50_000 },
  );
  expect(got[1]).toBe(got[0]);
});

test('update works under the lock, keeps the value when it fails, and the lock is an RLock', async () => {
  const got = await runJson(`${head}
    const v = new mp.Value('i', 5), got = [];
    got.push(v.lock instanceof mp.RLock, v.lock === v.lock, v.update((x) => { got.push(v.lock.locked); return x * 2 }), v.value);
    got.push(v.update((x) => v.update((y) => y + 1) + x), v.lock.locked);            // re-entry
    got.push(thrown(() => v.update(() => { throw new RangeError('own') })), thrown(() => v.update(() => 2 ** 40)), thrown(() => v.update(() => undefined)), thrown(() => v.update(() => '7')));
    got.push(thrown(() => v.update(async () => 7)), thrown(() => v.update(7)), thrown(() => v.update()), thrown(() => v.update((x) => x, -1)), thrown(() => v.update((x) => x, 'soon')), v.value, v.lock.locked);
    const d = new mp.Value('d', 1.5), u = new mp.Value('u', 'a'), q = new mp.Value('q', 1);
    got.push(d.update((x) => x / 2), u.update((x) => String.fromCharCode(x.charCodeAt(0) + 1)), String(q.update((x) => x + 1n)), String(q.update(() => 5)));
    const guard = await v.lock.acquire();
    got.push(v.update((x) => x + 1), await rejected(v.lock.acquire(1)));
    guard.release();
    v.lock.close();                                    // closed alone: the value goes on
    got.push(v.update((x) => x + 1), v.lock.locked);
    const other = mp.open(mp.share(v.lock));
    const held = other.acquireSync();
    got.push(v.lock.locked);
    v.close(); held.release(); other.close(); d.close(); u.close(); q.close();
    got.push(native.census().objects);
    out(got);`);
  const bad = typeError;
  expect(got).toEqual([
    ...[true, true, true, 10, 10], // pushed in the order of evaluation
    ...[21, false, 'RangeError undefined', rangeError, bad, bad],
    ...[bad, bad, bad, rangeError, bad, 21, false],
    ...[0.75, 'b', '2', '5', 22, 'TimeoutError ERR_MP_TIMEOUT', 23, false, true, 0],
  ]);
});

test('after close everything is a ClosedError, and other handles go on', async () => {
  const got = await runJson(`${head}
    import { inspect } from 'node:util';
    const got = [];
    for (const Kind of [mp.Value, mp.RawValue]) {
      const v = new Kind('i', 3), other = mp.open(mp.share(v)), lock = v.lock;
      v.close(); v.close(); v[Symbol.dispose]();
      got.push([() => v.value, () => (v.value = 5), () => v.add(1), () => v.exchange(1), () => v.compareExchange(3, 4), () => mp.share(v)].map(thrown), other.value, v.typecode, inspect(v), inspect(other));
      if (Kind === mp.Value) got.push([() => v.update((x) => x), () => v.lock, () => lock.acquireSync()].map(thrown));
      other.add(1); got.push(other.value);
      other.close();
    }
    got.push(native.census().objects);
    out(got);`);
  const closed = (n: number) => Array(n).fill(closedError);
  expect(got).toEqual([
    ...[closed(6), 3, 'i', '<Value closed>', "<Value 'i' 3>", closed(3), 4],
    ...[closed(6), 3, 'i', '<RawValue closed>', "<RawValue 'i' 3>", 4],
    0,
  ]);
});

test('neighbours: narrow values do not spill into anything else', async () => {
  const got = await runJson(`${head}
    const codes = ['b', 'B', 'h', 'H', 'i', 'I', 'q', 'Q', 'f', 'd', '?', 'c', 'u'];
    const all = codes.flatMap((code) => [new mp.Value(code), new mp.RawValue(code)]);
    const before = all.map((v) => String(v.value));
    const changed = [];
    for (const v of all) {
      const keep = v.value;
      v.value = typeof keep === 'bigint' ? 2n ** 63n - 1n : keep === false ? true : typeof keep === 'string' ? 'ÿ' : 127;
      changed.push(all.filter((w, i) => w !== v && String(w.value) !== before[i]).length + all.filter((w) => w instanceof mp.Value && w.lock.locked).length);
      v.value = keep;
    }
    out([changed.every((n) => n === 0), all.every((v, i) => String(v.value) === before[i])]);`);
  expect(got).toEqual([true, true]);
});
