// How long until a call widens, and to which step.

import { w } from "./words.js";

// [Chinese, English] until `iso`; null when that has passed. A second that has begun counts.
export function timeLeft(iso, time) {
  const seconds = Math.ceil((Date.parse(iso) - time) / 1000);
  return seconds > 0 ? w.timeLeft(seconds) : null;
}

export const isLastStep = ({ position, steps }) => position + 1 >= steps;

// [Chinese, English]. Steps are counted from one, the first call among them; the last is repeated.
export const nextStep = (escalation) => (isLastStep(escalation) ? w.lastStepAgain : w.stepOf(escalation.position + 2, escalation.steps));
