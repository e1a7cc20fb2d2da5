// What nobody has looked at yet. It is kept in the browser what was, so that to load the desk again makes nothing old.

import { isOpen } from "../lib/live.js";

const MOST = 500;

export class Unseen {
  constructor(key) {
    this.key = key;
    this.seen = new Set();
    this.waiting = new Set();
    this.#recall();
    addEventListener("storage", (event) => event.key === key && this.#recall()); // another tab of the same operator
  }

  has(id) {
    return this.waiting.has(id);
  }

  // A case as it is now, and as it was, if it was known. Whether it is news.
  take(view, before) {
    if (!isOpen(view)) {
      this.waiting.delete(view.id);
      return false;
    }
    if (view.attended && !before?.attended) this.#saw(view.id);
    if (this.seen.has(view.id) || this.waiting.has(view.id)) return false;
    this.waiting.add(view.id);
    return true;
  }

  // Somebody looks at it. Whether nobody had.
  look(id) {
    return this.waiting.has(id) && this.#saw(id);
  }

  #saw(id) {
    this.waiting.delete(id);
    this.seen.add(id);
    localStorage.setItem(this.key, JSON.stringify([...this.seen].slice(-MOST)));
    return true;
  }

  #recall() {
    for (const id of JSON.parse(localStorage.getItem(this.key) ?? "[]")) {
      this.seen.add(id);
      this.waiting.delete(id);
    }
  }
}
