// One press of the key: sent with the same key until the server has it safely, also across a reload.

import { insist, newKey } from "./api.js";
import { now, nowIso } from "./clock.js";

const GIVEN_UP_AFTER_MS = 10 * 60_000;

export class Press {
  // `state`: null, or {stage: "sending" | "retrying" | "accepted" | "refused", problem, acceptedAt, silent}.
  constructor(household, changed) {
    this.place = `dispatch.press.${household}`;
    this.changed = changed;
    this.state = null;
  }

  // A press that was never accepted, because the page was closed or the phone died: go on with it.
  resume() {
    const kept = JSON.parse(localStorage.getItem(this.place) ?? "null");
    if (!kept) return;
    if (now() - Date.parse(kept.body.pressed_at) < GIVEN_UP_AFTER_MS) this.#send(kept);
    else localStorage.removeItem(this.place);
  }

  start({ kind, silent }) {
    if (this.pending) {
      dispatchEvent(new Event("online")); // wakes the retry at once
      return;
    }
    this.#send({ key: newKey(), body: { kind, silent, pressed_at: nowIso() } });
  }

  get pending() {
    return this.state?.stage === "sending" || this.state?.stage === "retrying";
  }

  clear() {
    if (!this.pending) this.state = null;
  }

  async #send(press) {
    localStorage.setItem(this.place, JSON.stringify(press));
    const say = (stage, more = {}) => {
      this.state = { stage, silent: press.body.silent, ...more };
      this.changed();
    };
    say("sending");
    const slow = setTimeout(() => say("retrying"), 2500);
    try {
      const answer = await insist("POST", "/v1/alarms", {
        body: press.body, key: press.key, timeout: 5000, onWait: (problem) => say("retrying", { problem }),
      });
      say("accepted", { acceptedAt: answer.accepted_at });
    } catch (problem) {
      say("refused", { problem });
    } finally {
      clearTimeout(slow);
      localStorage.removeItem(this.place);
    }
  }
}
