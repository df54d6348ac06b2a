// node main.mjs [--workers N] [--epochs N] [--digits N] [--hidden N] [--curve FILE]
//
// One network learns MNIST twice from the same beginning: in this process, and by a pool whose workers all change the same
// weights without a lock.
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { cpuCount, Pool, RawArray } from 'multiproc';
import { writeCurves } from './curve.mjs';
import { loadDigits, pixelsPerDigit } from './mnist.mjs';
import { weightsOf } from './network.mjs';
import { fillRandomly, randomNumbers, shuffle } from './random.mjs';
import { begin, examine, learn } from './worker.mjs';

const { values } = parseArgs({
  options: {
    workers: { type: 'string', default: `${cpuCount()}` },
    epochs: { type: 'string', default: '5' },
    digits: { type: 'string', default: '60000' },
    hidden: { type: 'string', default: '64' },
    curve: { type: 'string', default: 'loss.svg' },
  },
});
const [workers, epochs, digits, hidden] = ['workers', 'epochs', 'digits', 'hidden'].map((n) =>
  Number(values[n]),
);
const firstRate = 0.01;
const ratePerEpoch = 0.8;
/** An epoch is handed out in so many parts, for who is faster to get more of them. */
const parts = 16 * workers;

const training = loadDigits('training');
const testing = loadDigits('testing');
const order = new RawArray('I', digits);
const weights = Object.fromEntries(
  Object.entries(weightsOf(pixelsPerDigit, hidden)).map(([name, length]) => [
    name,
    new RawArray('d', length),
  ]),
);
const shared = { training, testing, order, weights };

const results = [await here(), await byPool()];
print();
writeCurves(results, `Loss of a network with ${hidden} hidden units on MNIST`, values.curve);
console.log(`${values.curve}: the loss over time`);

async function here() {
  begin(shared);
  return {
    name: '1 process',
    ...(await train(async function* (fn, items) {
      for (const item of items) yield fn(item);
    })),
  };
}

async function byPool() {
  const pool = new Pool({ processes: workers, initializer: begin, initargs: [shared] });
  try {
    await pool.ready();
    return {
      name: `${workers} processes`,
      ...(await train((fn, items) => pool.imapUnordered(fn, items))),
    };
  } finally {
    await pool.terminate();
  }
}

/** @param each calls a function with each item, wherever: what it returned, in any order */
async function train(each) {
  const random = randomNumbers(1);
  fillRandomly(weights.first, 0.1, random);
  fillRandomly(weights.second, 0.3, random);
  weights.firstBias.fill(0);
  weights.secondBias.fill(0);
  for (let i = 0; i < digits; i++) order[i] = i;

  const points = [];
  let milliseconds = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    shuffle(order, random);
    const rate = firstRate * ratePerEpoch ** epoch;
    const items = ranges(digits).map((range) => ({ ...range, rate }));
    const began = performance.now();
    for await (const loss of each(learn, items)) {
      const seconds = (milliseconds + performance.now() - began) / 1000;
      points.push({ seconds, loss: loss / (digits / parts) });
    }
    milliseconds += performance.now() - began;
  }
  let known = 0;
  for await (const some of each(examine, ranges(testing.labels.length))) known += some;
  return { points, seconds: milliseconds / 1000, accuracy: known / testing.labels.length };
}

/** What each part is of so many things. */
function ranges(count) {
  const edge = (part) => Math.round((part * count) / parts);
  return Array.from({ length: parts }, (_, part) => ({ from: edge(part), to: edge(part + 1) }));
}

function print() {
  const table = new Table({
    head: ['', 'seconds', '', 'loss, last epoch', 'test digits known'],
    colAligns: ['left', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const { name, points, seconds, accuracy } of results) {
    const loss = points.slice(-parts).reduce((sum, point) => sum + point.loss, 0) / parts;
    const speedUp = results[0].seconds / seconds;
    table.push([
      name,
      seconds.toFixed(2),
      `${speedUp.toFixed(2)}x`,
      loss.toFixed(4),
      `${(accuracy * 100).toFixed(2)} %`,
    ]);
  }
  console.log(table.toString());
}
