// node main.mjs [directory] [--workers N] [--images N] [--rounds N] [--sheet FILE]
//
// Fills one shared array with normalised images in three ways, prints their times, and writes a contact sheet of what lies
// in the array then.
import { createHash } from 'node:crypto';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { cpuCount, SharedArray } from 'multiproc';
import { writeContactSheet } from './contact-sheet.mjs';
import { drawnImages, imagesIn } from './pictures.mjs';
import { channels, height, width } from './prepare.mjs';
import { byPool, oneByOne, severalAtOnce } from './ways.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    workers: { type: 'string', default: `${cpuCount()}` },
    images: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    sheet: { type: 'string', default: 'contact-sheet.png' },
  },
});
const [workers, rounds] = [values.workers, values.rounds].map(Number);
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

const [directory] = positionals;
const listed = directory === undefined ? null : imagesIn(directory);
const count = Number(values.images ?? listed?.length ?? 24);
const found = listed ?? (await drawnImages(count, workers));
// With fewer files than images some are used several times.
const files = Array.from({ length: count }, (_, i) => found[i % found.length]);
const images = await createArray();

const ways = [
  { name: 'this process, one image after the other', run: oneByOne, times: [] },
  { name: `this process, ${workers} images at once`, run: severalAtOnce, times: [] },
  { name: `pool, ${workers} workers`, run: byPool, times: [] },
];
const contents = new Set();
for (let round = 0; round < rounds; round++) {
  for (const { run, times } of ways) {
    images.data.fill(0);
    times.push(await run(files, images, workers));
    contents.add(hash());
  }
}
print();
if (contents.size > 1) throw new Error('Not all ways give the same bytes');
await writeContactSheet(images, values.sheet);
console.log(`${values.sheet}: the array, as seen from here`);

/** The array outlives its processes, so its name must be taken away however this one ends. */
async function createArray() {
  const name = `images-${process.pid}`;
  const shape = [count, height, width, channels];
  const array = await SharedArray.createAsync(name, shape, 'float32');
  process.once('exit', () => SharedArray.delete(name));
  console.log(`${shape.join(' × ')} float32: ${Math.round(array.size / 2 ** 20)} MiB in one shared array`);
  return array;
}

function hash() {
  const content = createHash('sha256');
  for (let i = 0; i < count; i++) content.update(images.subarray(i).data);
  return content.digest('hex');
}

function print() {
  const table = new Table({
    head: ['', 'seconds', 'images/s', ''],
    colAligns: ['left', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  const seconds = ways.map(({ times }) => median(times) / 1000);
  for (const [i, { name }] of ways.entries())
    table.push([
      name,
      seconds[i].toFixed(2),
      (count / seconds[i]).toFixed(1),
      `${(seconds[0] / seconds[i]).toFixed(2)}x`,
    ]);
  console.log(table.toString());
}

function median(values) {
  return values.sort((a, b) => a - b)[values.length >> 1];
}
