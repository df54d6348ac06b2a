import { expect, test } from 'vitest';
import { fixtures, runJson } from '../support/child.js';
import { forEachStartMethod } from '../support/start-methods.js';

const lib = new URL('../../lib/', import.meta.url).href;
const fixture = (name: string): string => new URL(name, fixtures).href;
const head = `
import { decodeBytes, decodeLater, encodeToBytes } from '${lib}codec/index.js';
import { sourceHash } from '${lib}transfer/function-ref.js';
const out = (value) => console.log(JSON.stringify(value));
const message = (module, name, hash = null) => {
  // As another process would write it: here the module is not loaded.
  const { bytes } = encodeToBytes([module, name, hash], 'v');
  return Buffer.concat([Buffer.from([0xb0, 33]), bytes.subarray(6)]);
};
const failure = (call) => { try { return call().name; } catch (e) { return [e.code, e.message]; } };
`;

test('a function is found in modules that are loaded, or that require() can load', async () => {
  const got = await runJson(`${head}
    import { createRequire } from 'node:module';
    import { readFileSync } from 'node:fs';
    const module = '${fixture('common.cjs')}';
    const square = decodeBytes(message('${fixture('tasks.mjs')}', 'square'));
    const again = (await import('${fixture('tasks.mjs')}')).square;
    const { twice } = createRequire(import.meta.url)(new URL(module).pathname);
    const round = (v) => decodeBytes(encodeToBytes(v, 'v').bytes);
    out([square(3), square === again, decodeBytes(message(module, 'twice')) === twice, decodeBytes(message(module, 'twice', sourceHash(twice))) === twice,
      round([readFileSync, twice, square]).every((f, i) => f === [readFileSync, twice, square][i])]);`);
  expect(got).toEqual([9, true, true, true, true]);
});

test('one that is not is an error that names its module; who can wait, gets it', async () => {
  const got = await runJson(`${head}
    const module = '${fixture('awaiting.mjs')}';
    const bytes = message(module, 'half');
    const before = failure(() => decodeBytes(bytes));
    const later = await decodeLater((functionOf) => decodeBytes(bytes, { shared: [], large: [], functionOf }));
    const after = decodeBytes(bytes);
    const own = failure(() => decodeBytes(message(import.meta.url, 'own')));
    out([before[0], before[1].includes(module), later(4), after === later, own[0], own[1].includes(import.meta.url)]);`);
  expect(got).toEqual(['ERR_MP_FUNCTION', true, 2, true, 'ERR_MP_FUNCTION', true]);
});

test('references to nothing, to something else, or with their own code are errors', async () => {
  const got = await runJson(`${head}
    const tasks = '${fixture('tasks.mjs')}';
    const data = 'data:text/javascript,globalThis.evil=1;export const f=()=>{}';
    const later = async (module) => decodeLater((functionOf) => decodeBytes(message(module, 'f'), { shared: [], large: [], functionOf })).catch((e) => e.code);
    out([failure(() => decodeBytes(message(tasks, 'missing')))[0], failure(() => decodeBytes(message(tasks, 'square', 'x')))[0], failure(() => decodeBytes(message('node:fs', 'constructor')))[0],
      failure(() => decodeBytes(message(data, 'f')))[0], await later(data), await later(data.toUpperCase()), globalThis.evil === undefined, await later('file:///not/there.mjs')]);`);
  expect(got).toEqual([...Array<string>(6).fill('ERR_MP_FUNCTION'), true, 'ERR_MODULE_NOT_FOUND']);
});

forEachStartMethod(({ method, runJson }) => {
  test(`${method}: functions in arguments, fields and results are the functions there`, async () => {
    const got = await runJson(`import * as mp from 'multiproc';
      import { callAll, echo, pick, square } from '${fixture('calls.mjs')}';
      import { half } from '${fixture('awaiting.mjs')}';
      if (mp.isMainProcess) {
        const refused = await mp.run(echo, () => {}).catch((e) => [e.code, e.message.split(':')[0]]);
        const back = await mp.run(echo, { square, list: [half, square] });
        console.log(JSON.stringify([await mp.run(callAll, [square, half], 6), back[0].square === square, back[0].list[0] === half, (await mp.run(pick, 'square')) === square, refused]));
      }`);
    expect(got.slice(0, 4)).toEqual([[36, 3], true, true, true]);
    if (method !== 'fork') expect(got[4]).toEqual(['ERR_MP_CLONE', 'args[0] is a function']);
  });
});
