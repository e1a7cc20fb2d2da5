// The tables of a monthly report.

import { html, T } from "../lib/ui.js";
import { w } from "../lib/words.js";
import { report as r } from "./words.js";

export const STEPS = ["answered", "under_way", "on_scene", "closed"];
const PERCENTILES = ["p50", "p90", "p95", "p99"];
const NONE = "—";

export const percent = (share) => (share === null ? NONE : `${(share * 100).toFixed(1)}%`);

// Seconds as 42 s or 7:05.
export function took(seconds) {
  if (seconds === null) return NONE;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

const Head = ({ of }) => html`<th scope="col" role="columnheader"><${T} of=${of} /></th>`;

// A cell that on a phone, where each row stands by itself, carries the name of its column.
const Cell = ({ of, children }) => html`<td role="cell" data-of=${of.join(" ")}>${children}</td>`;

// A table with a row for each of `rows`, of `columns` columns; it says so when there is none.
const Table = ({ head, rows, columns }) => html`
  <div class="scroll"><table role="table">
    <thead role="rowgroup"><tr role="row">${head}</tr></thead>
    <tbody role="rowgroup">${rows.length ? rows : html`<tr class="none" role="row"><td role="cell" colspan=${columns}><${T} of=${w.dlqNone} /></td></tr>`}</tbody>
  </table></div>`;

export const judged = (step) => step.within + step.missed;

// A row for each of `rows`; `link(key)` is where its name leads, if anywhere.
export const Responses = ({ rows, first, link, name = (row) => row.name }) => html`
  <${Table} columns=${STEPS.length + 4}
    head=${[first, r.cases, ...STEPS.map((step) => r.steps[step]), r.sceneMedian, r.scene90].map((of) => html`<${Head} key=${of[1]} of=${of} />`)}
    rows=${rows.map((row) => html`
      <tr role="row" key=${row.key} data-row=${row.key}>
        <${Cell} of=${first}>${link && row.key ? html`<a href=${link(row.key)}>${name(row)}</a>` : name(row)}<//>
        <${Cell} of=${r.cases}>${row.cases}<//>
        ${STEPS.map((step) => html`<${Cell} key=${step} of=${r.steps[step]}>
          <span>${percent(row.steps[step].share)} <small>${row.steps[step].within}/${judged(row.steps[step])}</small></span><//>`)}
        <${Cell} of=${r.sceneMedian}>${took(row.steps.on_scene.p50)}<//><${Cell} of=${r.scene90}>${took(row.steps.on_scene.p90)}<//></tr>`)} />`;

// How long each step took: percentiles, and what no share counts.
export const Percentiles = ({ total }) => html`
  <${Table} columns=${8}
    head=${html`<${Head} of=${r.step} /><${Head} of=${r.reached} />${PERCENTILES.map((name) => html`<th key=${name} scope="col" role="columnheader">${name}</th>`)}
      <${Head} of=${r.notDue} /><${Head} of=${r.backwards} />`}
    rows=${STEPS.map((step) => {
      const found = total.steps[step];
      return html`<tr role="row" key=${step}><${Cell} of=${r.step}><${T} of=${r.intervals[step]} /><//><${Cell} of=${r.reached}>${found.count}<//>
        ${PERCENTILES.map((name) => html`<${Cell} key=${name} of=${[name]}>${took(found[name])}<//>`)}
        <${Cell} of=${r.notDue}>${found.not_due + found.unknown + found.no_target}<//><${Cell} of=${r.backwards}>${found.backwards}<//></tr>`;
    })} />`;

const WORK = [
  [r.called, (row) => row.called], [r.answered, (row) => row.answered], [r.prompt, (row) => percent(row.prompt_share)],
  [r.going, (row) => row.going], [r.onScene, (row) => row.on_scene], [r.answerMedian, (row) => took(row.to_answered.p50)],
  [r.sceneMedian, (row) => took(row.to_on_scene.p50)], [r.scene90, (row) => took(row.to_on_scene.p90)],
];

export const Work = ({ rows, first }) => html`
  <${Table} columns=${WORK.length + 1}
    head=${[first, ...WORK.map(([of]) => of)].map((of) => html`<${Head} key=${of[1]} of=${of} />`)}
    rows=${rows.map((row) => html`
      <tr role="row" key=${row.key} data-row=${row.key}><${Cell} of=${first}>${row.name}<//>
        ${WORK.map(([of, value]) => html`<${Cell} key=${of[1]} of=${of}>${value(row)}<//>`)}</tr>`)} />`;
