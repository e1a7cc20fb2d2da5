// The keys with which a called person answers: one tap each, and a tap on another changes it.

import { answerText } from "./alarm.js";
import { html, T } from "./ui.js";
import { w } from "./words.js";

const ETA_MINUTES = [3, 5, 10, 15];

// `mine` is {answer, eta_minutes}; `onAnswer({answer, eta_minutes?})`; `disabled` while the keys do nothing, which is seen.
export function AnswerKeys({ mine = {}, onAnswer, disabled }) {
  const key = (answer, words, name) => html`
    <button type="button" class=${`button answer ${name}`} disabled=${disabled} data-answer=${answer}
      aria-pressed=${String(mine.answer === answer)} onClick=${() => onAnswer({ answer })}><${T} of=${words} /></button>`;
  return html`
    <div class=${`answers ${disabled ? "resting" : ""}`} role="group" data-given=${mine.answer ?? "none"} aria-label=${w.yourAnswer.join(" ")}>
      ${key("going", w.going, "good going")}
      <div class="etas">
        <span class="etas-label"><${T} of=${w.goingIn} /></span>
        ${ETA_MINUTES.map((minutes) => html`
          <button type="button" key=${minutes} class="button eta-key" disabled=${disabled} data-eta=${minutes}
            aria-pressed=${String(mine.answer === "going" && mine.eta_minutes === minutes)}
            onClick=${() => onAnswer({ answer: "going", eta_minutes: minutes })}><${T} of=${w.minutes(minutes)} /></button>`)}
      </div>
      <div class="pair">
        ${key("on_scene", w.onScene, "main")}
        ${key("cannot", w.cannot, "")}
      </div>
    </div>`;
}

// What became of the tap. `sending` is null or {stage: "sending" | "retrying" | "failed" | "recorded", problem, given}.
export function AnswerState({ sending }) {
  if (!sending) return null;
  const { stage, problem, given } = sending;
  const words = { sending: w.answerSending, retrying: w.answerRetrying, failed: w.answerFailed, recorded: w.answerRecorded(answerText(given)) }[stage];
  return html`
    <p class=${`answer-state ${stage}`} data-stage=${stage}><${T} of=${words} />
      ${problem && html`<span class="dim"><${T} of=${problem.words} /></span>`}</p>`;
}
