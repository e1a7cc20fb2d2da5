// Which case is on the page, and for how long its answer keys rest: no second tap may answer for another household.

const REST_MS = 1000; // a second tap of the same hand comes well within it

export class Shown {
  // `changed()` when the keys have rested.
  constructor(changed) {
    Object.assign(this, { changed, id: null, open: [], passed: new Set(), arrangement: "", restsUntil: 0 });
  }

  // Opened by a tap or answered: it stays until it is over, another is opened, or one calls that was not there by then.
  keep(id) {
    this.id = id;
    this.passed = new Set(this.open);
  }

  // The case calls once more, and so it was not passed over yet.
  calledAgain(id) {
    this.passed.delete(id);
  }

  // The case to show of `open`, most urgent first. `givesWay(view, other)`: nobody is asked about `view`, and `other` calls.
  of(open, givesWay) {
    this.open = open.map(({ id }) => id);
    const current = open.find((view) => view.id === this.id);
    const calls = (one) => !this.passed.has(one.id) && givesWay(current, one);
    const view = current ? open.find(calls) ?? current : open[0];
    this.id = view?.id ?? null;
    return view;
  }

  // Whether the keys do nothing yet, because what is under a finger has just changed.
  rests(arrangement) {
    if (arrangement !== this.arrangement) {
      this.arrangement = arrangement;
      this.restsUntil = performance.now() + REST_MS;
      setTimeout(this.changed, REST_MS);
    }
    return performance.now() < this.restsUntil;
  }
}
