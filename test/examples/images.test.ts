// The example as its users run it, on images of every kind: each lies in the array as it should, whoever has put it there.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describe, runJson, runScript } from '../support/child.js';

const main = new URL('../../examples/images/main.mjs', import.meta.url);
const timeout = 20_000;
let folder: string;
let sheet: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'multiproc-images-'));
  sheet = join(folder, 'sheet');
  const of = (background: object) =>
    sharp({ create: { width: 280, height: 420, channels: 4, background: { alpha: 1, ...background } } });
  await of({ r: 250, g: 20, b: 120 }).flatten().jpeg().toFile(join(folder, 'a.jpg'));
  await of({ r: 90, g: 90, b: 90 }).greyscale().png().toFile(join(folder, 'b-grey.png'));
  await of({ r: 10, g: 200, b: 30, alpha: 0.5 })
    .webp({ lossless: true })
    .toFile(join(folder, 'c-alpha.webp'));
  // Half red and half blue, lying on its side: red is above when it is upright.
  const lying = of({ r: 255, g: 0, b: 0 }).extend({ bottom: 420, background: 'blue' }).flatten();
  const pixels = await lying.png().toBuffer();
  const turned = await sharp(pixels).rotate(270).toBuffer();
  await sharp(turned).withMetadata({ orientation: 6 }).tiff().toFile(join(folder, 'd-turned.tiff'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** The colour of the sheet at this place. */
async function colourAt(left: number, top: number): Promise<number[]> {
  const { data } = await sharp(sheet)
    .extract({ left, top, width: 1, height: 1 })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return [...data];
}

function expectColour(actual: number[], expected: number[]): void {
  for (const [c, value] of expected.entries()) expect(Math.abs(actual[c]! - value)).toBeLessThanOrEqual(3);
}

test('a directory of images of all kinds: a table, and a sheet on which all are as they were', async () => {
  const args = [folder, '--workers', '2', '--rounds', '1', '--sheet', sheet];
  const end = await runScript(main, { args, timeout });
  expect(end.code, describe(end)).toBe(0);
  expect(end.stdout).toContain('4 × 2100 × 1400 × 3 float32: 135 MiB');
  expect(end.stdout.match(/^│ (this process|pool).* \d+\.\d\dx │$/gm)).toHaveLength(3);
  const { format, width, height } = await sharp(sheet).metadata();
  expect([format, width, height]).toEqual(['png', 2 * 150 + 10, 2 * 220 + 10]);
  expectColour(await colourAt(5, 5), [255, 255, 255]);
  expectColour(await colourAt(80, 100), [250, 20, 120]);
  expectColour(await colourAt(230, 100), [90, 90, 90]);
  expectColour(await colourAt(80, 320), [10, 200, 30]);
  expectColour(await colourAt(230, 250), [255, 0, 0]);
  expectColour(await colourAt(230, 420), [0, 0, 255]);
});

test('workers write normalised values, each into its place', async () => {
  const worker = new URL('worker.mjs', main).href;
  const values = await runJson<number[][]>(
    `
    import * as mp from 'multiproc';
    import { begin, fill } from '${worker}';
    const name = 'images-test-' + process.pid;
    const images = mp.SharedArray.create(name, [3, 2100, 1400, 3], 'float32');
    const files = ['b-grey.png', 'c-alpha.webp', 'b-grey.png'].map((file) => '${folder}/' + file);
    const pool = new mp.Pool({ processes: 2, initializer: begin, initargs: [files, images] });
    try {
      await pool.map(fill, [0, 1]);
    } finally {
      await pool.terminate();
      mp.SharedArray.delete(name);
    }
    console.log(JSON.stringify([0, 1, 2].map((i) => [0, 1, 2].map((c) => images.at(i, 2099, 1399, c)))));`,
    { timeout },
  );
  const normal = (bytes: number[]): number[] =>
    bytes.map((byte, c) => (byte / 255 - [0.485, 0.456, 0.406][c]!) / [0.229, 0.224, 0.225][c]!);
  for (const [i, bytes] of [
    [90, 90, 90],
    [10, 200, 30],
  ].entries())
    for (const [c, value] of normal(bytes).entries()) expect(values[i]![c]).toBeCloseTo(value, 1);
  expect(values[2]).toEqual([0, 0, 0]);
});

test('a file that is no image is named, and nothing is left behind', async () => {
  const broken = mkdtempSync(join(tmpdir(), 'multiproc-broken-'));
  writeFileSync(join(broken, 'broken.jpg'), 'no image');
  try {
    const end = await runScript(main, { args: [broken, '--sheet', sheet], timeout });
    expect(end.code).toBe(1);
    expect(end.stderr).toContain('broken.jpg: Input file contains unsupported image format');
  } finally {
    rmSync(broken, { recursive: true });
  }
});

test('without a directory it draws landscapes', async () => {
  const args = ['--images', '1', '--workers', '1', '--rounds', '1', '--sheet', sheet];
  const end = await runScript(main, { args, timeout });
  expect(end.code, describe(end)).toBe(0);
  expect((await sharp(sheet).metadata()).width).toBe(160);
  const { entropy } = await sharp(sheet).stats();
  expect(entropy).toBeGreaterThan(4);
});
