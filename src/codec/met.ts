/** Objects in the order they were met. Few are compared one by one, which is faster than any table; many get one. */
export class Met {
  readonly #few: (object | null)[] = new Array<object | null>(fewLimit).fill(null);
  #many: Map<object, number> | null = null;
  count = 0;

  /** The number of an object met before; -1 for a new one, which is remembered. */
  meet(object: object): number {
    if (this.#many !== null) return this.#meetAmongMany(object, this.#many);
    const few = this.#few;
    for (let i = 0; i < this.count; i++) if (few[i] === object) return i;
    if (this.count === fewLimit) return this.#meetAmongMany(object, this.#listMany());
    few[this.count++] = object;
    return -1;
  }

  /** Forgets all, so that nothing is kept alive. */
  clear(): void {
    for (let i = Math.min(this.count, fewLimit) - 1; i >= 0; i--) this.#few[i] = null;
    this.#many = null;
    this.count = 0;
  }

  #meetAmongMany(object: object, many: Map<object, number>): number {
    const known = many.get(object);
    if (known !== undefined) return known;
    many.set(object, this.count++);
    return -1;
  }

  #listMany(): Map<object, number> {
    this.#many = new Map();
    this.#few.forEach((object, i) => this.#many!.set(object!, i));
    return this.#many;
  }
}

const fewLimit = 16;
