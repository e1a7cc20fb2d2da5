// What nobody has looked at yet as it is now: a new case, one where the home pressed again, one that came under duress.
// It is kept in the browser what was looked at, so that to load the desk again makes nothing old.

import { isOpen } from "../lib/live.js";

const MOST = 500;

const alarmed = ({ presses, duress }) => `${presses}${duress ? " duress" : ""}`;

export class Unseen {
  constructor(key) {
    this.key = key;
    this.seen = new Map(); // case → as what it was looked at
    this.waiting = new Map(); // case → as what nobody looked at it
    this.#recall();
    addEventListener("storage", (event) => event.key === key && this.#recall()); // another tab of the same operator
  }

  has(id) {
    return this.waiting.has(id);
  }

  // A case as it is now, and as it was, if it was known. Whether it is news.
  take(view, before) {
    const { id } = view;
    if (!isOpen(view)) {
      this.waiting.delete(id);
      return false;
    }
    const now = alarmed(view);
    if (view.attended && !(before ? before.attended : this.seen.has(id))) this.#saw(id, now);
    if (this.seen.get(id) === now || this.waiting.get(id) === now) return false;
    this.waiting.set(id, now);
    return true;
  }

  // Somebody looks at it. Whether nobody had.
  look(id) {
    return this.has(id) && this.#saw(id, this.waiting.get(id));
  }

  #saw(id, as) {
    this.waiting.delete(id);
    this.seen.delete(id); // those looked at last are kept
    this.seen.set(id, as);
    localStorage.setItem(this.key, JSON.stringify([...this.seen].slice(-MOST)));
    return true;
  }

  #recall() {
    for (const [id, as] of JSON.parse(localStorage.getItem(this.key) ?? "[]")) {
      this.seen.set(id, as);
      if (this.waiting.get(id) === as) this.waiting.delete(id);
    }
  }
}
