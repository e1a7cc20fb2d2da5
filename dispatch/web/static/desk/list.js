// The list of open cases. A row is drawn again only when its case changed; its clocks run by themselves.

import { tooFew } from "../lib/escalation.js";
import { Component, Elapsed, Eta, html, T } from "../lib/ui.js";
import { kinds, nameOf, w } from "../lib/words.js";
import { waitingStep } from "./order.js";
import { statuses } from "./words.js";

export class Row extends Component {
  shouldComponentUpdate(next) {
    return next.view !== this.props.view || next.selected !== this.props.selected || next.isNew !== this.props.isNew;
  }

  render({ view, selected, isNew, onSelect }) {
    return html`
      <li><button type="button" class=${`row ${isNew ? "new" : ""}`} data-case=${view.id} data-status=${view.status} aria-pressed=${String(selected)}
        onClick=${() => onSelect(view.id)}>
        <span class="row-clock"><${Elapsed} since=${view.pressed_at} step=${(time) => waitingStep(view, time)} class="clock waiting" /></span>
        <span class="row-title"><span class=${`tag ${view.kind}`}>${nameOf(kinds, view.kind)[0]}</span>
          ${isNew && html`<span class="tag new-tag"><${T} of=${w.newRow} /></span>`}<b>${view.household.name}</b><${Marks} view=${view} /></span>
        <span class="row-help">
          <${TooFew} view=${view} />
          <b class=${`status ${view.status} ${tooFew(view) ? "too-few" : ""}`}>${nameOf(statuses, view.status)[0]}</b>
          <span>${w.going[0]} ${view.coming} · ${w.arrived[0]} ${view.on_scene} / ${view.responders.length}</span>
          ${!view.on_scene && view.nearest_eta_at && html`<span>ETA <${Eta} at=${view.nearest_eta_at} /></span>`}
        </span>
        <span class="row-place">${placeOf(view)}</span>
      </button></li>`;
  }
}

function placeOf({ areas, household: { address } }) {
  const area = areas[0]?.name ?? "";
  return address.includes(area) ? address : `${area} · ${address}`;
}

export function TooFew({ view }) {
  const few = tooFew(view);
  return few && html`<b class="few" data-few=${few.join("/")}><${T} of=${w.tooFew(...few)} /></b>`;
}

export const Marks = ({ view }) => html`
  ${view.drill && html` <span class="tag drill"><${T} of=${w.drill} /></span>`}
  ${view.duress && html` <span class="tag fire" data-duress><${T} of=${w.duress} /></span>`}
  ${view.silent && html` <span class="tag silent"><${T} of=${w.silent} /></span>`}
  ${view.presses > 1 && html` <span class="tag">×${view.presses}</span>`}`;

export function CaseList({ views, total, selected, unseen, onSelect }) {
  if (!views.length) return html`<p class="empty"><${T} of=${total ? w.noMatch : w.noCases} /></p>`;
  return html`<ol class="rows" aria-label=${w.openCases.join(" ")}>${views.map((view) => html`
    <${Row} key=${view.id} view=${view} selected=${view.id === selected} isNew=${unseen.has(view.id)} onSelect=${onSelect} />`)}</ol>`;
}
