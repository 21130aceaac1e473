/** Ids of many files in one: an id that is taken gets a number behind it, the same for the same files in the same order. */
export class UniqueIds {
  /** Id → the number that the next of the same name is tried with. */
  readonly #next = new Map<string, number>();
  /** How many were changed. */
  renamed = 0;

  take(id: string): string {
    const next = this.#next.get(id);
    if (next === undefined) {
      this.#next.set(id, 2);
      return id;
    }
    let number = next;
    while (this.#next.has(`${id}~${number}`)) number += 1;
    this.#next.set(id, number + 1);
    this.#next.set(`${id}~${number}`, 2);
    this.renamed += 1;
    return `${id}~${number}`;
  }
}
