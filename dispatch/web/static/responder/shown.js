// Which case is on the page, and for how long its answer keys rest: no second tap may answer for another household.

const REST_MS = 1000; // a second tap of the same hand comes well within it

export class Shown {
  // `changed()` when the keys have rested.
  constructor(changed) {
    Object.assign(this, { changed, id: null, kept: null, arrangement: "", restsUntil: 0 });
  }

  // Opened by a tap or answered: it stays until it is over, or another is opened.
  keep(id) {
    this.kept = id;
    this.id = id;
  }

  // The case to show of `open`, most urgent first. `givesWay(view, first)`: nobody is asked about `view`, and `first` calls.
  of(open, givesWay) {
    const current = open.find((view) => view.id === this.id);
    const first = open[0];
    const view = current && (current.id === this.kept || !givesWay(current, first)) ? current : first;
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
