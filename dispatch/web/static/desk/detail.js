// One case: everything an operator needs to know of it, and all that can be done.

import { tooFew } from "../lib/escalation.js";
import { isOpen } from "../lib/live.js";
import { At, Elapsed, Eta, html, T } from "../lib/ui.js";
import { kinds, nameOf, w } from "../lib/words.js";
import { Escalation, HandedOver } from "./escalation.js";
import { Marks, TooFew } from "./list.js";
import { waitingStep } from "./order.js";
import { Gaps, Responders } from "./responders.js";
import { Timeline } from "./timeline.js";
import { resolutions, sources, statuses } from "./words.js";

const drafts = new Map(); // case → a note that was begun and not yet added

export function Detail({ view, history, recording, actions }) {
  const open = isOpen(view);
  return html`
    <article class="detail" data-case=${view.id} data-status=${view.status}>
      ${!open && html`<${Over} view=${view} />`}
      ${view.drill && html`<div class="banner drill"><${T} of=${w.drillLong} /></div>`}
      ${view.duress ? html`<div class="banner bad" role="alert" data-duress><b><${T} of=${w.duressLong} /></b> <${T} of=${view.beside ? w.duressBeside : w.duressDesk} /></div>`
        : view.silent && html`<div class="banner warn"><${T} of=${w.doNotRing} /></div>`}
      <${Head} view=${view} open=${open} onBack=${actions.back} />
      <${HandedOver} view=${view} open=${open} />
      ${open && html`<${Escalation} view=${view} onAsk=${actions.ask} />`}
      <${Gaps} view=${view} open=${open} />
      ${open && html`<${Close} view=${view} onClose=${actions.close} />`}
      <${Responders} view=${view} open=${open} recording=${recording} onRecord=${actions.record}
        onAnswer=${(responder, answer, minutes) => actions.answer(view, responder, answer, minutes)} />
      <div class="columns">
        <${Notes} view=${view} onAdd=${actions.note} />
        <${Timeline} history=${history} view=${view} />
      </div>
    </article>`;
}

// Stays in sight also for whoever has scrolled.
const Over = ({ view: { status, closing } }) => html`
  <p class="over" role="status"><b><${T} of=${nameOf(statuses, status)} /></b>
    ${closing?.resolution && html` · <${T} of=${nameOf(resolutions, closing.resolution)} />`}
    ${closing && html` · <${At} at=${closing.at} />`}</p>`;

function Head({ view, open, onBack }) {
  const facts = [
    [w.pressedAt, view.pressed_at], [w.acceptedAt, view.accepted_at], [w.firstCall, view.firsts.called],
    [w.firstReached, view.firsts.delivered], [w.firstAnswer, view.firsts.answered], [w.arrived, view.firsts.on_scene],
  ];
  return html`
    <header class="head">
      <button type="button" class="button back" onClick=${onBack}>← <${T} of=${w.back} /></button>
      <div class="head-title">
        <h2><span class=${`tag ${view.kind}`}><${T} of=${nameOf(kinds, view.kind)} /></span> ${view.household.name} <${Marks} view=${view} /></h2>
        <p class="place">${view.household.address} <span class="dim">${view.areas.map((area) => area.name).join(" · ")}</span></p>
        <p>${view.household.phone && html`<span><${T} of=${w.phone} /> ${view.silent ? view.household.phone
          : html`<a href=${`tel:${view.household.phone}`}>${view.household.phone}</a>`} </span>`}
          ${view.household.note && html`<b class="note-line">${view.household.note}</b>`}</p>
        <p class="dim">${view.group?.name ?? ""} · <${T} of=${w.source} /> ${nameOf(sources, view.source)[0]} · ${w.presses(view.presses)[0]} · ${view.id}</p>
      </div>
      <div class="head-now">
        ${open ? html`<${Elapsed} since=${view.pressed_at} step=${(time) => waitingStep(view, time)} class="clock waiting huge" />`
          : html`<span><${At} at=${view.closing.at} /></span>`}
        <${TooFew} view=${view} />
        <b class=${`status ${view.status} ${tooFew(view) ? "too-few" : ""}`} role="status"><${T} of=${nameOf(statuses, view.status)} /></b>
        ${open && !view.on_scene && view.nearest_eta_at && html`<span>ETA <${Eta} at=${view.nearest_eta_at} /></span>`}
        ${view.closing?.resolution && html`<span>${nameOf(resolutions, view.closing.resolution)[0]}</span>`}
        ${view.closing && html`<span class="dim">${view.closing.by} ${view.closing.text}</span>`}
      </div>
      <dl class="facts">${facts.map(([words, at]) => html`
        <div key=${words[1]}><dt><${T} of=${words} /></dt><dd>${at ? html`<${At} at=${at} />` : "—"}</dd></div>`)}</dl>
    </header>`;
}

const Close = ({ view, onClose }) => html`
  <div class="closing" role="group" aria-label=${w.resolve.join(" ")}>
    <span><${T} of=${w.resolve} /></span>
    ${Object.entries(resolutions).map(([resolution, words]) => html`
      <button type="button" class="small" key=${resolution} data-resolution=${resolution}
        onClick=${() => onClose(view, resolution)}><${T} of=${words} /></button>`)}
    <button type="button" class="small cancel" data-resolution="cancel" onClick=${() => onClose(view, null)}><${T} of=${w.cancelCase} /></button>
  </div>`;

function Notes({ view, onAdd }) {
  const submitted = async (event) => {
    event.preventDefault();
    const field = event.target.text;
    const draft = field.value;
    if (!draft.trim() || !await onAdd(view, draft.trim()) || drafts.get(view.id) !== draft) return;
    drafts.delete(view.id);
    field.value = "";
  };
  return html`
    <section class="block"><h3><${T} of=${w.notes} /></h3>
      <form class="note-form" onSubmit=${submitted}>
        <label class="visually-hidden" for="note">${w.noteHint.join(" ")}</label>
        <textarea id="note" name="text" rows="2" maxlength="2000" value=${drafts.get(view.id) ?? ""}
          onInput=${(event) => drafts.set(view.id, event.target.value)} placeholder=${w.noteHint.join(" ")}></textarea>
        <button class="small"><${T} of=${w.add} /></button>
      </form>
      <ul class="notes">${[...view.notes].reverse().map((note) => html`
        <li key=${note.id}><span class="dim"><${At} at=${note.at} /> ${note.author}</span><span>${note.text}</span></li>`)}</ul>
    </section>`;
}
