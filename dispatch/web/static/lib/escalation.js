// How long until a call widens, to which step, and what those at home read of it.

import { targetWords, w } from "./words.js";

// [Chinese, English] until `iso`; null when that has passed. A second that has begun counts.
export function timeLeft(iso, time) {
  const seconds = Math.ceil((Date.parse(iso) - time) / 1000);
  return seconds > 0 ? w.timeLeft(seconds) : null;
}

export const isLastStep = ({ position, steps }) => position + 1 >= steps;

// [Chinese, English]. Steps are counted from one, the first call among them; the last is repeated.
export const nextStep = (escalation) => (isLastStep(escalation) ? w.lastStepAgain : w.stepOf(escalation.position + 2, escalation.steps));

// [those who are coming or there, how many are enough] while somebody is and more are needed; else null.
export function tooFew({ escalation, coming, on_scene: there }) {
  const lacking = escalation?.lacking ?? 0;
  const have = coming + there;
  return have > 0 && lacking > 0 ? [have, have + lacking] : null;
}

// What happens next, [Chinese, English] at `time`. Nobody is promised whom no post and no group has, and nobody is told
// to call 110 in a drill or while somebody is coming.
export function nextWords({ escalation: { waits_for: wait, next_call: next }, handed_over: told, ...view }, time) {
  if (wait.what === "arrival" && timeLeft(wait.until, time)) return w.enoughComing;
  if (next === null) {
    if (told?.reached) return w.handedOverReached;
    return view.drill || view.coming + view.on_scene > 0 ? w.nobodyMore : w.nobodyElse;
  }
  const left = timeLeft(next ? next.at : wait.until, time);
  if (!left || wait.because === "operator" || wait.because === "pointless") return w.stillCalling;
  if (wait.because === "pause_over") return w.operatorSeesToIt;
  if (!next) return w.widensIn(left);
  const whom = targetWords(next.targets);
  return whom ? w.moreCalledIn(left, whom) : w.calledAgainIn(left);
}
