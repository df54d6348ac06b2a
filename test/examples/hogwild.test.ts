// The example on a tenth of its data; its network against numbers that are known otherwise.
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describe, runJson, runScript } from '../support/child.js';

const folder = new URL('../../examples/hogwild/', import.meta.url);
const timeout = 20_000;

test('workers that change the same weights learn as much as one process, and both draw their curve', async () => {
  const curve = join(tmpdir(), `multiproc-hogwild-${process.pid}.svg`);
  const args = ['--digits', '6000', '--epochs', '2', '--hidden', '32', '--workers', '2', '--curve', curve];
  try {
    const end = await runScript(new URL('main.mjs', folder), { args, timeout });
    expect(end.code, describe(end)).toBe(0);
    const known = [...end.stdout.matchAll(/^│ (\d) process\S* .* (\S+) % │$/gm)];
    expect(known.map(([, processes]) => processes)).toEqual(['1', '2']);
    for (const [, , percent] of known) expect(Number(percent)).toBeGreaterThan(85);
    const lines = [...readFileSync(curve, 'utf8').matchAll(/<polyline points="([^"]*)"/g)];
    const points = lines.map(([, list]) => list!.split(' '));
    expect(points.map(({ length }) => length)).toEqual([64, 64]);
    for (const point of points.flat()) expect(point).toMatch(/^\d+\.\d,\d+\.\d$/);
  } finally {
    rmSync(curve, { force: true });
  }
});

test('the digits are those of MNIST', async () => {
  const facts = await runJson(`
    import { loadDigits } from '${new URL('mnist.mjs', folder).href}';
    const facts = ({ pixels, labels }) => [pixels.length, labels.length, [...labels.subarray(0, 10)], pixels.reduce((a, b) => a + b, 0) / pixels.length];
    console.log(JSON.stringify([facts(loadDigits('training')), facts(loadDigits('testing'))]));`);
  expect(facts).toEqual([
    [47_040_000, 60_000, [5, 0, 4, 1, 9, 2, 1, 3, 1, 4], expect.closeTo(33.318, 3)],
    [7_840_000, 10_000, [7, 2, 1, 0, 4, 1, 4, 9, 5, 9], expect.closeTo(33.791, 3)],
  ]);
});

test('a step goes down the gradient of the loss', async () => {
  const worst = await runJson<number>(`
    import { Network, weightsOf } from '${new URL('network.mjs', folder).href}';
    import { fillRandomly, randomNumbers } from '${new URL('random.mjs', folder).href}';
    const random = randomNumbers(7);
    const weights = Object.fromEntries(Object.entries(weightsOf(12, 5)).map(([name, length]) => [name, new Float64Array(length)]));
    for (const list of Object.values(weights)) fillRandomly(list, 1, random);
    const pixels = Uint8Array.from({ length: 24 }, (_, i) => (i % 3 === 0 ? 0 : random() * 256));
    const network = new Network(weights);
    const loss = () => network.learn(pixels, 12, 4, 0);
    const before = Object.fromEntries(Object.entries(weights).map(([name, list]) => [name, list.slice()]));
    const expected = {};
    for (const [name, list] of Object.entries(weights)) {
      expected[name] = list.map((_, i) => {
        const around = [1e-6, -1e-6].map((far) => {
          list[i] = before[name][i] + far;
          return loss();
        });
        list[i] = before[name][i];
        return (around[0] - around[1]) / 2e-6;
      });
    }
    const rate = 1e-3;
    network.learn(pixels, 12, 4, rate);
    const differences = Object.entries(weights).flatMap(([name, list]) =>
      [...list].map((value, i) => Math.abs((before[name][i] - value) / rate - expected[name][i])));
    console.log(Math.max(...differences));`);
  expect(worst).toBeLessThan(1e-6);
});
