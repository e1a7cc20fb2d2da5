// Who was called, what came of each call, and what they answered.

import { answerText } from "../lib/alarm.js";
import { get } from "../lib/api.js";
import { timeLeft } from "../lib/escalation.js";
import { At, Component, Eta, html, T, TickingT } from "../lib/ui.js";
import { nameOf, roles, w } from "../lib/words.js";
import { channels, reasonWords, states } from "./words.js";

const RANK = { on_scene: 0, going: 1, null: 2, cannot: 3 };
const REACHED = new Set(["delivered", "seen"]);

function order(responders) {
  const rank = (one) => RANK[one.answer] * 2 + (REACHED.has(one.state) ? 1 : 0);
  return [...responders].sort((a, b) => rank(a) - rank(b) || ((a.eta_at ?? "~") < (b.eta_at ?? "~") ? -1 : 1));
}

export function Responders({ view, open, recording, onRecord, onAnswer }) {
  return html`
    <section class="block"><h3><${T} of=${w.responders} /> ${view.responders.length}</h3>
      <ul class="responders">${order(view.responders).map((one) => html`
        <li key=${one.id} data-responder=${one.id} data-answer=${one.answer ?? "none"} data-state=${one.state} data-stood-down=${String(one.stood_down)}>
          <${Person} one=${one} />
          <${Channels} one=${one} open=${open} />
          <${Answer} one=${one} open=${open} />
          ${open && html`<button type="button" class="small thin" aria-expanded=${String(recording === one.id)}
            onClick=${() => onRecord(recording === one.id ? null : one.id)}><${T} of=${w.recordFor} /></button>`}
          ${open && recording === one.id && html`<${Record} one=${one} onAnswer=${onAnswer} />`}
        </li>`)}</ul>
      <${LeftOut} view=${view} />
    </section>`;
}

// What it asks of the operator, after a colon, is said as long as the case is open.
const withoutDeed = (reason) => reason.split(" / ").map((half) => half.split(/：请|: telephone/)[0]).join(" / ");

// Whom the plan or a step wanted and could not call: above the people, for the operator has to do something about it.
export const Gaps = ({ view, open }) => view.gaps.length > 0 && html`
  <section class="block gap-block" data-gaps><h3><${T} of=${w.gaps} /></h3>
    <ul class="gaps">${view.gaps.map((gap) => html`<li key=${`${gap.what} ${gap.reason}`}><b>${gap.what}</b> ${open ? gap.reason : withoutDeed(gap.reason)}</li>`)}</ul>
  </section>`;

class LeftOut extends Component {
  load() {
    get(`/v1/households/${this.props.view.household.id}/left-out`).then((known) => this.setState({ trail: known.trail }), () => {});
  }

  render({ view: { left_out: people = [] } }, { trail }) {
    if (!people.length) return null;
    return html`
      <h3><${T} of=${w.leftOut} /> <small class="dim"><${T} of=${w.leftOutHint} /></small></h3>
      <ul class="gaps" data-left-out>${people.map((one) => html`
        <li key=${one.person}><b>${one.name}</b> ${one.reason} <span class="dim">${one.by} ${one.at && html`<${At} at=${one.at} />`}</span></li>`)}</ul>
      ${trail ? html`<ul class="gaps" data-trail>${trail.map((one) => html`
        <li key=${one.at}><${At} at=${one.at} /> <b>${one.name}</b> <${T} of=${one.what === "let_in" ? w.letIn : w.leftOut} /> ${one.reason} <span class="dim">${one.by}</span></li>`)}</ul>`
        : html`<button type="button" class="small thin" onClick=${() => this.load()}><${T} of=${w.leftOutTrail} /></button>`}`;
  }
}

const Person = ({ one }) => html`
  <span class="person"><b>${one.name}</b>
    <span class="dim">${one.roles.map(({ role }) => nameOf(roles, role)[0]).join("、")}</span>
    ${one.phone && html`<a href=${`tel:${one.phone}`}>${one.phone}</a>`}</span>`;

const Channels = ({ one, open }) => html`
  <span class="channels">${one.channels.map(({ channel, outcome, reason }) => html`
    <span key=${channel} class=${`outcome ${outcome}`} title=${nameOf(states, outcome)[1]}>
      ${nameOf(channels, channel)[0]} ${nameOf(states, outcome)[0]}${reason && html`<small title=${reason}>${reasonWords(reason)[0]}</small>`}</span>`)}
    ${open && one.next_channel && html`<span class="dim next" data-next=${one.next_channel.channel}>
      <${TickingT} of=${(time) => w.nextChannel(nameOf(channels, one.next_channel.channel), timeLeft(one.next_channel.at, time))} /></span>`}</span>`;

const Answer = ({ one, open }) => html`
  <span class="given">${one.answer ? html`
    <b><${T} of=${answerText(one)} /></b>
    ${open && one.answer === "going" && one.eta_at && html`<${Eta} at=${one.eta_at} />`}
    <span class="dim"><${At} at=${one.answered_at} /></span>`
    : html`<span class="dim">${one.stood_down ? html`<${T} of=${w.stoodDown} />` : "—"}</span>`}</span>`;

function Record({ one, onAnswer }) {
  const key = (words, answer, minutes) => html`
    <button type="button" class="small" onClick=${() => onAnswer(one.id, answer, minutes)}><${T} of=${words} /></button>`;
  return html`
    <span class="record">
      ${key(w.going, "going")}${[3, 5, 10, 15].map((minutes) => key(w.minutes(minutes), "going", minutes))}
      ${key(w.onScene, "on_scene")}${key(w.cannot, "cannot")}
    </span>`;
}
