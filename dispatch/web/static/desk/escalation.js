// What a case waits for, and what an operator can do about how its call widens.

import { shortLocal } from "../lib/clock.js";
import { nextStep, timeLeft } from "../lib/escalation.js";
import { html, T, TickingT } from "../lib/ui.js";
import { deeds, w } from "../lib/words.js";

// Those who were called and are neither heard of nor stood down.
export const unneeded = (view) => view.responders.filter((one) => !one.answer && !one.stood_down);

// [Chinese, English] at `time`.
function waitWords({ escalation }, time) {
  const { what, until, because } = escalation.waits_for;
  if (what === "closing") return w.waitsForClosing;
  const left = timeLeft(until, time);
  if (!left || because === "operator" || because === "pointless") return w.wideningNow;
  const step = nextStep(escalation);
  if (what === "arrival") return w.waitsForArrival(left, step);
  return because === "pause_over" ? w.pausedUntil(shortLocal(until), left, step) : w.waitsForAnswers(left, step);
}

export function Escalation({ view, onAsk }) {
  const wait = view.escalation?.waits_for;
  if (!wait) return null;
  const deed = (name, disabled = false) => html`
    <button type="button" class="small" data-deed=${name} disabled=${disabled} onClick=${() => onAsk(view, name)}><${T} of=${deeds[name].words} /></button>`;
  return html`
    <section class="escalation" data-waits=${wait.what} data-position=${view.escalation.position}>
      <p class="wait"><${TickingT} of=${(time) => waitWords(view, time)} /></p>
      <div class="deeds" role="group" aria-label=${w.escalation.join(" ")}>
        ${deed("widen")}
        ${deed("pause", wait.what === "arrival" || wait.what === "closing")}
        ${deed("stand-down", !unneeded(view).length)}
        ${deed("calls")}
      </div>
    </section>`;
}
