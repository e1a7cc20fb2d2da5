// What is wrong in the system itself, and what was closed lately.

import { get } from "../lib/api.js";
import { At, html, T, TickingT } from "../lib/ui.js";
import { kinds, nameOf, w } from "../lib/words.js";
import { incidents, statuses } from "./words.js";

const MOST_CLOSED = 30;

// The dead letters, fetched again when one came or was dealt with.
export class Letters {
  constructor(changed) {
    Object.assign(this, { changed, at: "0 0", letters: [] });
  }

  show({ count, position = 0 }) {
    const at = `${count} ${position}`;
    if (at === this.at) return;
    this.at = at;
    get("/v1/dlq").then(({ letters }) => { this.letters = letters; this.changed(); }, () => { this.at = null; });
  }
}

const MOST_INCIDENTS = 4;
const ofCase = ({ kind }) => kind === "owed" || kind === "late";

// What says how it stands with the whole before what says it of a case: in a storm those are many.
export function Incidents({ incidents: known }) {
  const first = [...known].sort((a, b) => ofCase(a) - ofCase(b));
  const more = first.length - MOST_INCIDENTS;
  return html`${first.slice(0, MOST_INCIDENTS).map(Banner)}
    ${more > 0 && html`<div class="banner bad" data-more-incidents=${more}><${T} of=${w.moreIncidents(more)} /></div>`}`;
}

// Those of other areas have no name to be told apart by.
const Banner = (incident, place) => html`
  <div class="banner bad" role="alert" key=${`${incident.kind}.${incident.what || place}`} data-incident=${incident.kind}>
    <span><${T} of=${w.incidents} /> · ${incidents[incident.kind] ? html`<b><${T} of=${incidents[incident.kind]} /></b>` : incident.kind}</span>
    <span class="said">${incident.what} ${incident.detail}</span>${incident.since && html`<span><${At} at=${incident.since} /></span>`}
  </div>`;

// `onAsk(letter, deed)` where this operator may deal with letters, else nothing.
export function Dlq({ dlq, letters, onAsk }) {
  return html`
    <section class="block ${dlq.count ? "alert" : ""}" data-dlq=${dlq.count}>
      <h3><${T} of=${w.dlq} /> ${dlq.count}</h3>
      ${!dlq.count && html`<p class="dim"><${T} of=${w.dlqNone} /></p>`}
      <ul class="letters">${letters.slice(0, 20).map((letter) => html`
        <li key=${letter.seq} data-letter=${letter.seq}>
          <span>#${letter.seq} ${letter.stream === "INTAKE" ? html`<${T} of=${w.pressLetter} />` : letter.by} <b>${letter.household ?? letter.subject}</b>${" "}
            ${letter.household_name} ${letter.phone && html`<a href=${`tel:${letter.phone}`}>${letter.phone}</a>`}</span>
          ${!letter.readable && html`<b><${T} of=${w.letterUnreadable} /></b>`}
          <span class="dim"><${TickingT} of=${(time) => w.ago(Math.max(0, Math.floor((time - Date.parse(letter.stored_at)) / 1000)))} /> · <${At} at=${letter.stored_at} /></span>
          <span>${letter.reason || html`<span class="dim"><${T} of=${w.letterHidden} /></span>`}</span>
          ${onAsk && html`<span class="deeds">
            ${letter.can_retry && html`<button type="button" class="small thin" data-deed="retry" disabled=${letter.state === "retrying"}
              onClick=${() => onAsk(letter, "retry")}><${T} of=${letter.state === "retrying" ? w.retrying : w.retry} /></button>`}
            <button type="button" class="small thin" data-deed="dismiss" onClick=${() => onAsk(letter, "dismiss")}><${T} of=${w.dismissLetter} /></button>
          </span>`}</li>`)}</ul>
    </section>`;
}

export function Recent({ views, selected, onSelect }) {
  const closed = views.filter((view) => view.closing).sort((a, b) => (a.closing.at < b.closing.at ? 1 : -1));
  return html`
    <section class="block"><h3><${T} of=${w.recent} /></h3>
      <ul class="recent">${closed.slice(0, MOST_CLOSED).map((view) => html`
        <li key=${view.id}><button type="button" class="row small-row" data-case=${view.id} aria-pressed=${String(view.id === selected)}
          onClick=${() => onSelect(view.id)}>
          <span><${At} at=${view.closing.at} /></span>
          <span>${nameOf(kinds, view.kind)[0]} ${view.household.name}${view.drill && html` <span class="tag drill">${w.drill[0]}</span>`}</span>
          <span class="dim">${nameOf(statuses, view.status)[0]}</span></button></li>`)}</ul>
      ${!closed.length && html`<p class="dim"><${T} of=${w.dlqNone} /></p>`}
    </section>`;
}
