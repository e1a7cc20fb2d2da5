// The tables of a monthly report.

import { html, T } from "../lib/ui.js";
import { report as r } from "../lib/words.js";

export const STEPS = ["answered", "under_way", "on_scene", "closed"];
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

const Head = ({ of }) => html`<th scope="col"><${T} of=${of} /></th>`;

export const judged = (step) => step.within + step.missed;

// A row for each of `rows`; `link(key)` is where its name leads, if anywhere.
export const Responses = ({ rows, first, link, name = (row) => row.name }) => html`
  <div class="scroll"><table>
    <thead><tr><${Head} of=${first} /><${Head} of=${r.cases} />
      ${STEPS.map((step) => html`<${Head} key=${step} of=${r.steps[step]} />`)}
      <${Head} of=${r.sceneMedian} /><${Head} of=${r.scene90} /></tr></thead>
    <tbody>${rows.map((row) => html`
      <tr key=${row.key} data-row=${row.key}><td>${link && row.key ? html`<a href=${link(row.key)}>${name(row)}</a>` : name(row)}</td><td>${row.cases}</td>
        ${STEPS.map((step) => html`<td key=${step}>${percent(row.steps[step].share)} <small>${row.steps[step].within}/${judged(row.steps[step])}</small></td>`)}
        <td>${took(row.steps.on_scene.p50)}</td><td>${took(row.steps.on_scene.p90)}</td></tr>`)}</tbody>
  </table></div>`;

// How long each step took: percentiles, and what no share counts.
export const Percentiles = ({ total }) => html`
  <div class="scroll"><table>
    <thead><tr><${Head} of=${r.step} /><${Head} of=${r.reached} /><th>p50</th><th>p90</th><th>p95</th><th>p99</th>
      <${Head} of=${r.notDue} /><${Head} of=${r.backwards} /></tr></thead>
    <tbody>${STEPS.map((step) => {
      const found = total.steps[step];
      return html`<tr key=${step}><td><${T} of=${r.intervals[step]} /></td><td>${found.count}</td>
        ${["p50", "p90", "p95", "p99"].map((name) => html`<td key=${name}>${took(found[name])}</td>`)}
        <td>${found.not_due + found.unknown + found.no_target}</td><td>${found.backwards}</td></tr>`;
    })}</tbody>
  </table></div>`;

export const Work = ({ rows, first }) => html`
  <div class="scroll"><table>
    <thead><tr><${Head} of=${first} /><${Head} of=${r.called} /><${Head} of=${r.answered} /><${Head} of=${r.prompt} />
      <${Head} of=${r.going} /><${Head} of=${r.onScene} /><${Head} of=${r.answerMedian} /><${Head} of=${r.sceneMedian} /><${Head} of=${r.scene90} /></tr></thead>
    <tbody>${rows.map((row) => html`
      <tr key=${row.key} data-row=${row.key}><td>${row.name}</td><td>${row.called}</td><td>${row.answered}</td><td>${percent(row.prompt_share)}</td>
        <td>${row.going}</td><td>${row.on_scene}</td><td>${took(row.to_answered.p50)}</td><td>${took(row.to_on_scene.p50)}</td><td>${took(row.to_on_scene.p90)}</td></tr>`)}</tbody>
  </table></div>`;
