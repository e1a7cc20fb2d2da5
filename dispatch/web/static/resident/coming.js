// What becomes of a press: whether it was sent, who is coming, and what happens next.

import { byNearness } from "../lib/alarm.js";
import { nextWords, tooFew } from "../lib/escalation.js";
import { Elapsed, Eta, html, T, TickingT } from "../lib/ui.js";
import { nameOf, roles, w } from "../lib/words.js";

export function Sending({ state }) {
  const bad = state.stage === "refused" || state.stage === "retrying";
  const headline = {
    sending: w.pressSending, retrying: w.pressRetrying, refused: w.pressRefused, accepted: w.pressAccepted,
  }[state.stage];
  return html`
    <section class="card ${bad ? "bad" : state.stage === "accepted" ? "good" : ""}" data-stage=${state.stage}>
      <p class="headline"><${T} of=${headline} /></p>
      ${state.stage === "accepted" && html`<p class="line"><${T} of=${w.pressCalling} /></p>`}
      ${bad && html`<p class="line"><${T} of=${w.pressCallNow} /></p>`}
      ${state.problem && html`<p class="dim"><${T} of=${state.problem.words} /></p>`}
    </section>`;
}

function Next({ view }) {
  const wait = view.escalation?.waits_for;
  if (!wait || wait.what === "closing") return null;
  return html`<p class="line next" data-waits=${wait.what}><${TickingT} of=${(time) => nextWords(view, time)} /></p>`;
}

// Everything that was tried has failed, and nobody has answered: nobody's phone can have rung.
const unheard = (responders) => responders.length > 0 && responders.every((one) => one.state === "failed" && !one.answer);

// Nobody is left who could answer: they cannot come, were told that they need not, or were not reached.
const nobodyAwaited = (responders) =>
  responders.length > 0 && responders.every((one) => one.stood_down || one.answer === "cannot" || one.state === "failed");

// Nobody is told to call 110 in a drill.
export function waitingWords({ responders, drill }) {
  if (unheard(responders)) return drill ? w.nobodyReached : w.nobodyReachedCall;
  if (nobodyAwaited(responders)) return drill ? w.nobodyOnTheWay : w.nobodyOnTheWayCall;
  return w.waitingAnswer;
}

export function Coming({ view, quiet }) {
  const helpers = view.responders.filter((one) => one.answer === "going" || one.answer === "on_scene").sort(byNearness);
  const reached = view.responders.filter((one) => one.state === "delivered" || one.state === "seen").length;
  const few = !quiet && tooFew(view);
  const headline = view.on_scene ? w.onSceneCount(view.on_scene)
    : view.coming ? w.comingCount(view.coming) : w.calledCount(view.responders.length);
  return html`
    <section class="card ${helpers.length ? "good" : ""}" data-case=${view.id} data-status=${view.status}>
      <p class="headline"><${T} of=${headline} /></p>
      ${!view.on_scene && view.nearest_eta_at && html`
        <p class="line"><${T} of=${w.nearestIn} /></p>
        <p class="big"><${Eta} at=${view.nearest_eta_at} /></p>`}
      ${!helpers.length && html`
        ${reached > 0 && html`<p class="line"><${T} of=${w.reachedCount(reached)} /></p>`}
        <p class="line" data-waiting><${T} of=${waitingWords(view)} /></p>`}
      ${helpers.length > 0 && html`<ul class="people">${helpers.map((one) => html`<${Helper} key=${one.id} one=${one} />`)}</ul>`}
      ${few && html`<p class="line" data-few=${few.join("/")}><${T} of=${w.fewAtHome(...few)} /></p>`}
      ${!quiet && html`<${Next} view=${view} />`}
      <p class="dim"><${T} of=${w.sinceAlarm} /> <${Elapsed} since=${view.pressed_at} />
        ${view.presses > 1 && html`<span> · <${T} of=${w.pressedTimes(view.presses)} /></span>`}</p>
    </section>`;
}

const Helper = ({ one }) => html`
  <li>
    <span>${one.name} <span class="dim">${nameOf(roles, one.roles[0]?.role)[0]}</span></span>
    <span class="eta">${one.answer === "on_scene" ? html`<${T} of=${w.arrived} />`
      : one.eta_at ? html`<${Eta} at=${one.eta_at} />` : html`<${T} of=${w.underWay} />`}</span>
  </li>`;
