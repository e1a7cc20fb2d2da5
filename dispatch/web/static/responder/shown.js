// Which case is on the page.

export class Shown {
  constructor() {
    Object.assign(this, { id: null, open: [], passed: new Set() });
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
}
