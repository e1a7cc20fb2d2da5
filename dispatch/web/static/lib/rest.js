// For how long answer keys rest when what is under a finger has just changed: no second tap may answer for anything else.

const REST_MS = 1000; // a second tap of the same hand comes well within it

export class Rest {
  // `changed()` when the keys have rested.
  constructor(changed) {
    Object.assign(this, { changed, arrangement: "", until: 0 });
  }

  // Whether the keys do nothing yet; they stand where `arrangement` has them.
  holds(arrangement) {
    if (arrangement !== this.arrangement) {
      this.arrangement = arrangement;
      this.until = performance.now() + REST_MS;
      setTimeout(this.changed, REST_MS);
    }
    return performance.now() < this.until;
  }
}
