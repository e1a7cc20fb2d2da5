// What a case waits for, and what an operator can do about how its call widens.

import { now, shortLocal } from "../lib/clock.js";
import { nextStep, timeLeft, tooFew } from "../lib/escalation.js";
import { At, html, T, TickingT } from "../lib/ui.js";
import { w } from "../lib/words.js";
import { deeds } from "./words.js";

const at110 = (one) => one.roles.some(({ role }) => role === "emergency_centre");

// Those who were called and are neither heard of nor stood down; 110 decides for itself whether it comes.
export const unneeded = (view) => view.responders.filter((one) => !one.answer && !one.stood_down && !at110(one));

// A step that was asked for, or a duress, does not wait for the end of the pause.
const isPaused = ({ paused_until: until, waits_for: wait }, time) => Date.parse(until) > time && Date.parse(wait.until) >= Date.parse(until);

const joined = (...parts) => [parts.map(([zh]) => zh).join("；"), parts.map(([, en]) => en).join(". ")];

// [Chinese, English] at `time`: whose pause it is, and what is waited for.
function waitWords(view, time) {
  const { escalation } = view;
  const words = waitedFor(view, time);
  if (!isPaused(escalation, time)) return words;
  const { paused_by: by, paused_until: until } = escalation;
  return joined(by ? w.pausedUntil(by, shortLocal(until)) : w.heldUntil(shortLocal(until)), words);
}

function waitedFor({ escalation, on_scene: there }, time) {
  const { what, until, because } = escalation.waits_for;
  if (what === "closing") return escalation.enough ? w.waitsForClosing : w.waitsForClosingTooFew;
  const left = timeLeft(until, time);
  if (!left || because === "operator" || because === "pointless") return w.wideningNow;
  const step = nextStep(escalation);
  if (what === "arrival") return w.waitsForArrival(left, step);
  return because === "pause_over" ? w.afterPause(left, step)
    : there ? w.waitsForMore(left, step) : w.waitsForAnswers(left, step);
}

export function Escalation({ view, onAsk }) {
  const wait = view.escalation?.waits_for;
  if (!wait) return null;
  const deed = (name, disabled = false) => html`
    <button type="button" class="small" data-deed=${name} disabled=${disabled} onClick=${() => onAsk(view, name)}><${T} of=${deeds[name].words} /></button>`;
  const paused = isPaused(view.escalation, now());
  const held = paused && !view.escalation.paused_by; // nobody resumes by a slip what may be over
  return html`
    <section class=${`escalation ${tooFew(view) ? "too-few" : ""}`} data-waits=${wait.what} data-position=${view.escalation.position}>
      <p class="wait"><${TickingT} of=${(time) => waitWords(view, time)} /></p>
      <div class="deeds" role="group" aria-label=${w.escalation.join(" ")}>
        ${deed("widen")}
        ${paused && !held ? deed("resume") : deed("pause", held || wait.what === "arrival" || wait.what === "closing")}
        ${deed("stand-down", !unneeded(view).length)}
        ${deed("calls")}
        ${deed("hand-over")}
      </div>
    </section>`;
}

// That 110 has the case; and loudly when nobody there could be told, as long as that can be mended.
export function HandedOver({ view, open }) {
  const known = view.handed_over;
  if (!known) return null;
  const [calling, failed] = open ? [w.handedOverCalling, w.handedOverInVain] : [w.handedOverUnknown, w.handedOverFailed];
  const words = known.reached ? w.handedOverReached : known.reached === null ? calling : failed;
  const vain = open && known.reached === false;
  return html`
    <p class=${`handed-over ${vain ? "problem" : "notice"}`} role=${vain ? "alert" : "status"} data-reached=${String(known.reached)}>
      <b><${T} of=${w.handedOver(known.by === "system" ? w.bySystem[0] : known.by)} /></b> <${At} at=${known.at} /> · <${T} of=${words} /></p>`;
}
