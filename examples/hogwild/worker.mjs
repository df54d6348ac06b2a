// What a worker is told once, and what it does for each part of the digits. One process alone calls the same functions.
import { workerState } from 'multiproc';
import { pixelsPerDigit } from './mnist.mjs';
import { Network } from './network.mjs';

/** All of it lies in shared memory: nothing is copied, and each step is taken from and into everybody's weights. */
export function begin({ training, testing, order, weights }) {
  Object.assign(workerState(), { training, testing, order, network: new Network(weights) });
}

/** Learns some digits, in the order of this epoch: the sum of their losses. No lock, nobody is waited for. */
export function learn({ from, to, rate }) {
  const { training, order, network } = workerState();
  let loss = 0;
  for (let i = from; i < to; i++) {
    const digit = order[i];
    loss += network.learn(training.pixels, digit * pixelsPerDigit, training.labels[digit], rate);
  }
  return loss;
}

/** How many of these digits, from which it never learns, it knows. */
export function examine({ from, to }) {
  const { testing, network } = workerState();
  let known = 0;
  for (let digit = from; digit < to; digit++)
    if (network.classify(testing.pixels, digit * pixelsPerDigit) === testing.labels[digit]) known++;
  return known;
}
