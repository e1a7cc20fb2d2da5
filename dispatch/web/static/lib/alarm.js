// What a called person must see of a case at a glance.

import { span } from "./clock.js";
import { Elapsed, html, T } from "./ui.js";
import { answers, kinds, nameOf, roles, w } from "./words.js";

// `sameHome` where it is known that the home's case under duress still goes on; `afterDrill` where a drill was there lately.
export function AlarmCard({ view, sameHome = w.sameHomeBefore, afterDrill = false }) {
  return html`
    ${view.drill && html`<div class="banner drill"><${T} of=${w.drillLong} /></div>`}
    ${afterDrill && html`<div class="banner bad stack" role="alert" data-after-drill><${T} of=${w.drillIsOver} /></div>`}
    ${view.duress ? html`<div class="banner bad" role="alert" data-duress><${T} of=${w.duressLong} />${view.beside && html` <${T} of=${sameHome} />`}</div>`
      : view.silent && html`<div class="banner warn" data-silent><${T} of=${w.doNotRing} /></div>`}
    <section class=${`alarm ${view.closing ? "ended" : ""}`}>
      <p class="alarm-kind"><${T} of=${nameOf(kinds, view.kind)} /></p>
      <p class="alarm-address">${view.household.address || view.household.name}</p>
      <p class="alarm-name">${[view.household.address && view.household.name, view.areas?.[0]?.name].filter(Boolean).join(" · ")}</p>
      ${view.household.note && html`<p class="alarm-note">${view.household.note}</p>`}
      <p class="alarm-clock"><span class="dim"><${T} of=${view.closing ? w.lasted : w.sinceAlarm} /></span> ${view.closing
        ? html`<span class="clock">${span(Date.parse(view.closing.at) - Date.parse(view.pressed_at))}</span>`
        : html`<${Elapsed} since=${view.pressed_at} />`}</p>
    </section>`;
}

export function reasonOf(responder) {
  const of = ({ role, of_name: name }) => (role === "asked" ? name.slice(name.indexOf(":") + 1) : name); // `operator:wang`
  return (responder?.roles ?? []).map((reason) => `${nameOf(roles, reason.role)[0]} · ${of(reason)}`).join("，");
}

// Whether they were told that they need not come. Who answers all the same is not held back.
export const isStoodDown = (responder) => Boolean(responder?.stood_down && !responder.answer);

// An operator can stand somebody down before there is enough help.
export const StoodDown = ({ view }) => html`
  <p class="answer-state recorded" data-stood-down><${T} of=${view.escalation.enough ? w.enoughHelp : w.noNeed} /></p>`;

// On scene first, then by arrival, then those who did not say when; who cannot come is last.
const nearness = (one) => (one.answer === "on_scene" ? "" : one.answer === "going" ? one.eta_at ?? "~" : "~~");
export const byNearness = (one, other) => (nearness(one) < nearness(other) ? -1 : Number(nearness(one) > nearness(other)));

export function answerText({ answer, eta_minutes: minutes }) {
  const [zh, en] = nameOf(answers, answer);
  if (answer !== "going" || minutes == null) return [zh, en];
  return [`${zh} ${w.minutes(minutes)[0]}`, `${en} ${w.minutes(minutes)[1]}`];
}
