// A small network: pixels, one hidden layer of rectified units, softmax over ten digits. It learns by plain stochastic
// gradient descent, one digit at a time, from and into weights that are given to it. It knows nothing of processes.

const digits = 10;

/** Of which lengths the arrays of weights are. */
export const weightsOf = (inputs, hidden) => ({
  first: inputs * hidden,
  firstBias: hidden,
  second: digits * hidden,
  secondBias: digits,
});

export class Network {
  #hidden;
  #errors;
  #scores = new Float64Array(digits);
  /** Which pixels of this digit are not blank; only their weights count, and change. */
  #inked;

  constructor(weights) {
    Object.assign(this, weights); // first, firstBias, second, secondBias
    const units = weights.firstBias.length;
    this.#hidden = new Float64Array(units);
    this.#errors = new Float64Array(units);
    this.#inked = new Int32Array(weights.first.length / units);
  }

  /** Which digit it takes pixels[from…] for. */
  classify(pixels, from) {
    this.#forward(pixels, from);
    return this.#scores.indexOf(Math.max(...this.#scores));
  }

  /** One step towards saying `label`: how far off it was, as the negative logarithm of the probability it gave. */
  learn(pixels, from, label, rate) {
    const inked = this.#forward(pixels, from);
    const scores = this.#scores;
    const loss = this.#softmax(label);
    scores[label] -= 1; // by now the gradient at the scores
    this.#backward(rate);
    this.#correctFirst(pixels, from, inked, rate);
    return loss;
  }

  #forward(pixels, from) {
    const { first, firstBias, second, secondBias } = this;
    const hidden = this.#hidden;
    const inked = this.#inked;
    const units = hidden.length;
    for (let h = 0; h < units; h++) hidden[h] = firstBias[h];
    let count = 0;
    for (let i = 0; i < inked.length; i++) {
      const pixel = pixels[from + i];
      if (pixel === 0) continue;
      inked[count++] = i;
      const ink = pixel / 255;
      for (let h = 0, w = i * units; h < units; h++, w++) hidden[h] += ink * first[w];
    }
    for (let h = 0; h < units; h++) if (hidden[h] < 0) hidden[h] = 0;
    for (let d = 0; d < digits; d++) {
      let score = secondBias[d];
      for (let h = 0, w = d * units; h < units; h++, w++) score += hidden[h] * second[w];
      this.#scores[d] = score;
    }
    return count;
  }

  /** Scores become probabilities. */
  #softmax(label) {
    const scores = this.#scores;
    const most = Math.max(...scores);
    let sum = 0;
    for (let d = 0; d < digits; d++) sum += scores[d] = Math.exp(scores[d] - most);
    for (let d = 0; d < digits; d++) scores[d] /= sum;
    return -Math.log(Math.max(scores[label], Number.MIN_VALUE));
  }

  #backward(rate) {
    const { second, secondBias } = this;
    const hidden = this.#hidden;
    const errors = this.#errors.fill(0);
    const units = hidden.length;
    for (let d = 0; d < digits; d++) {
      const error = this.#scores[d];
      secondBias[d] -= rate * error;
      for (let h = 0, w = d * units; h < units; h++, w++) {
        if (hidden[h] === 0) continue;
        errors[h] += error * second[w];
        second[w] -= rate * error * hidden[h];
      }
    }
  }

  #correctFirst(pixels, from, inked, rate) {
    const { first, firstBias } = this;
    const errors = this.#errors;
    const units = errors.length;
    for (let h = 0; h < units; h++) firstBias[h] -= rate * errors[h];
    for (let n = 0; n < inked; n++) {
      const i = this.#inked[n];
      const step = (rate * pixels[from + i]) / 255;
      for (let h = 0, w = i * units; h < units; h++, w++) first[w] -= step * errors[h];
    }
  }
}
