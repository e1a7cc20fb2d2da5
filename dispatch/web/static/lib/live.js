// The live stream: a snapshot, then what changes, and a watchdog for a line that has gone quiet.

import { actingAs, get } from "./api.js";
import { now, sync } from "./clock.js";

const QUIET_MS = 12_000;
const PAINT_MS = 16;
const CLOSED_FOR_MS = 30 * 60_000; // as long as the server has them in a snapshot
const OPEN = new Set(["raised", "under_way", "on_scene"]);

export const isOpen = (view) => OPEN.has(view.status);

export class Live {
  // `changed()` at most once a frame; `onCase(view, before, started)` and `onRing(ring)` at once, also in a hidden
  // tab. `started` is false for what was there when the page opened. What is over is let go of after a while, unless
  // the page `keeps(view)`. `onSignedOut()` when the server lets this page in no more.
  constructor({ changed, onCase = () => {}, onRing = () => {}, onSignedOut = () => {}, keeps = () => false }) {
    Object.assign(this, { changed, onCase, onRing, onSignedOut, keeps });
    this.cases = new Map();
    this.learned = new Map(); // what answers to requests told and the stream has not told yet
    this.dlq = { count: 0 };
    this.incidents = [];
    this.state = "connecting";
    this.heardAt = Date.now();
    this.failures = 0;
    this.painting = 0;
    this.started = false;
    setInterval(() => this.#watch(), 1000);
    addEventListener("online", () => this.state === "lost" && this.#connect());
    addEventListener("request-waits", () => this.source.close());
    addEventListener("request-done", () => this.state !== "signed-out" && this.#connect());
    this.#connect();
  }

  get open() {
    return [...this.cases.values()].filter(isOpen);
  }

  // The case as a request was answered with it; the stream may be behind that, also with a snapshot.
  learn(view) {
    if (this.state === "signed-out") return;
    this.#take(view);
    if (this.cases.get(view.id) === view) this.learned.set(view.id, view);
    this.paint();
  }

  // Of no case anything is known any more.
  forgetAll() {
    this.cases.clear();
    this.learned.clear();
  }

  #connect() {
    clearTimeout(this.retry);
    this.source?.close();
    const source = new EventSource(`/v1/live?as=${encodeURIComponent(actingAs)}`);
    this.source = source;
    this.connectedAt = Date.now();
    const on = (name, take) => source.addEventListener(name, (event) => {
      this.#heard();
      take(JSON.parse(event.data));
      this.paint();
    });
    on("snapshot", (snapshot) => this.#begin(snapshot));
    on("case", (view) => this.#take(this.#newest(view)));
    on("ring", (ring) => this.onRing(ring));
    on("dlq", (dlq) => { this.dlq = dlq; });
    on("incidents", (incidents) => { this.incidents = incidents.incidents ?? incidents; });
    on("beat", (beat) => { sync(beat.at); this.#forget(); }); // by the server's clock, and only once that is known
    source.onerror = () => this.#failed(source);
  }

  #heard() {
    this.heardAt = Date.now();
    this.failures = 0;
    this.state = "live";
  }

  #begin(snapshot) {
    const known = this.cases;
    this.cases = new Map();
    for (const view of snapshot.cases) this.#take(this.#newest(view), known.get(view.id));
    for (const view of known.values()) if (!this.cases.has(view.id)) this.#missing(view);
    if (snapshot.dlq) this.dlq = snapshot.dlq;
    if (snapshot.incidents) this.incidents = snapshot.incidents;
    this.started = true;
  }

  // It was open when the line broke and is not any more: how it ended is worth one question.
  #missing(view) {
    if (!isOpen(view)) return;
    this.cases.set(view.id, view);
    get(`/v1/cases/${view.id}`).then(
      (fresh) => { this.#take(fresh); this.paint(); },
      (problem) => { if (!problem.again) { this.cases.delete(view.id); this.paint(); } },
    );
  }

  #forget() {
    for (const view of this.cases.values()) {
      if (!view.closing || now() - Date.parse(view.closing.at) < CLOSED_FOR_MS || this.keeps(view)) continue;
      this.cases.delete(view.id);
      this.learned.delete(view.id);
    }
  }

  // `view` as the stream tells it, unless a request was answered with a newer one.
  #newest(view) {
    const learned = this.learned.get(view.id);
    if (learned?.version > view.version) return learned;
    this.learned.delete(view.id);
    return view;
  }

  #take(view, before = this.cases.get(view.id)) {
    if (this.cases.has(view.id) && view.version <= before.version) return;
    this.cases.set(view.id, view);
    this.onCase(view, before, this.started);
  }

  #failed(source) {
    if (source !== this.source) return;
    this.state = "lost";
    this.paint();
    if (source.readyState === EventSource.CLOSED) this.#again();
  }

  #again() {
    this.failures += 1;
    const pause = Math.min(500 * 2 ** this.failures, 8000) * (0.75 + Math.random() / 2);
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.#connect(), pause);
    get("/v1/me").catch((problem) => {
      if (problem.status !== 401 && problem.status !== 403) return;
      clearTimeout(this.retry);
      this.state = "signed-out";
      this.onSignedOut();
      this.paint();
    });
  }

  #watch() {
    if (this.state === "signed-out" || Date.now() - Math.max(this.heardAt, this.connectedAt) < QUIET_MS) return;
    this.state = "lost";
    this.paint();
    this.#connect();
  }

  paint() {
    if (this.painting) return;
    this.painting = setTimeout(() => { this.painting = 0; this.changed(); }, PAINT_MS);
  }
}
