// Drills: whom to ring, who would be rung, and what came of it; and how well each group can be reached.

import { actingAs, get, insist, newKey } from "../lib/api.js";
import { Dialog } from "../lib/dialog.js";
import { At, html, T, useEffect, useState } from "../lib/ui.js";
import { answers, kinds, nameOf, w } from "../lib/words.js";
import { channels, reasonWords, standings, states } from "./words.js";

const AGAIN_MS = 2000;
const SHOWN = 5;
const MINUTES = [5, 10, 15, 30, 60];

// The drills there were, fetched again while one runs.
export class DrillList {
  constructor(changed) {
    Object.assign(this, { changed, drills: [] });
    this.look();
    setInterval(() => { if (this.drills.some((drill) => !drill.over)) this.look(); }, AGAIN_MS);
  }

  look() {
    get("/v1/drills").then(({ drills }) => { this.drills = drills; this.changed(); }, () => {});
  }
}

export const Drills = ({ drills, onShow }) => html`
  <section class="block" data-drills=${drills.length}><h3><${T} of=${w.drills} /></h3>
    <ul class="recent">${drills.slice(0, SHOWN).map((drill) => html`
      <li key=${drill.id}><button type="button" class="row small-row" data-drill=${drill.id} onClick=${() => onShow(drill.id)}>
        <span><${At} at=${drill.at} /></span>
        <span>${nameOf(kinds, drill.kind)[0]} · <${T} of=${w.householdsIn(drill.households)} /></span>
        <span class="dim">${(drill.over ? w.drillOver : w.drillRunning)[0]}</span></button></li>`)}</ul>
    ${!drills.length && html`<p class="dim"><${T} of=${w.dlqNone} /></p>`}
  </section>`;

const percent = (score) => `${Math.round(score * 100)}%`;

function Group({ group, chosen, onChoose }) {
  const gaps = group.people.filter((one) => one.standing !== "proven" || one.retired.length);
  return html`
    <li data-group=${group.group}>
      <label class="check"><input type="checkbox" checked=${chosen} onChange=${() => onChoose(group.group)} />
        <span><b>${group.name}</b> <span class="dim">${group.group}</span></span>
        <span class=${`score ${group.score < 0.5 ? "poor" : ""}`}>${group.proven}/${group.bound} · ${percent(group.score)}</span></label>
      ${gaps.length > 0 && html`<details><summary><${T} of=${w.unreachable(gaps.length)} /></summary>
        <ul>${gaps.map((one) => html`<li key=${one.person}>${one.name || one.person} ·
          <${T} of=${nameOf(standings, one.standing)} />${one.retired.map((why) => html` <span class="dim">${why}</span>`)}</li>`)}</ul></details>`}
    </li>`;
}

// First whom, then who would be rung; only then are they. `onBegun(drill)`.
export function DrillDialog({ onClose, onBegun }) {
  const [groups, setGroups] = useState(null);
  const [chosen, setChosen] = useState(new Set());
  const [how, setHow] = useState({ kind: "help", minutes: 10, escalate: false });
  const [plan, setPlan] = useState(null);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const [key] = useState(newKey);

  const tried = (doing) => {
    setBusy(true);
    setProblem(null);
    doing.catch(setProblem).finally(() => setBusy(false));
  };
  useEffect(() => { tried(get("/v1/reachability").then((found) => setGroups(found.groups))); }, []);

  const choose = (id) => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    setChosen(next);
  };
  const body = { groups: [...chosen] };
  const next = (event) => {
    event.preventDefault();
    if (!plan) tried(insist("POST", "/v1/drills/plan", { body, tries: 2 }).then(setPlan));
    else tried(insist("POST", "/v1/drills", { body: { ...body, ...how }, key, tries: 3, timeout: 15_000 }).then(({ drill }) => onBegun(drill)));
  };
  return html`
    <${Dialog} title=${w.newDrill} onClose=${onClose}>
      <form onSubmit=${next} data-drill-dialog>
        ${plan ? html`<${Plan} plan=${plan} how=${how} />` : html`
          ${groups && !groups.length && html`<p class="dim"><${T} of=${w.noGroups} /></p>`}
          <ul class="found groups" aria-label=${w.group.join(" ")}>${(groups ?? []).map((group) => html`
            <${Group} key=${group.group} group=${group} chosen=${chosen.has(group.group)} onChoose=${choose} />`)}</ul>
          <label class="field"><span><${T} of=${w.kindWord} /></span>
            <select value=${how.kind} onChange=${(event) => setHow({ ...how, kind: event.target.value })}>
              ${Object.entries(kinds).map(([kind, words]) => html`<option key=${kind} value=${kind}>${words.join(" ")}</option>`)}</select></label>
          <label class="field"><span><${T} of=${w.endsAfter} /></span>
            <select value=${how.minutes} onChange=${(event) => setHow({ ...how, minutes: Number(event.target.value) })}>
              ${MINUTES.map((minutes) => html`<option key=${minutes} value=${minutes}>${w.minutes(minutes).join(" ")}</option>`)}</select></label>
          <label class="check"><input type="checkbox" checked=${how.escalate} onChange=${(event) => setHow({ ...how, escalate: event.target.checked })} />
            <${T} of=${w.alsoEscalate} /></label>`}
        ${problem && html`<p class="problem" role="alert"><${T} of=${problem.words} /></p>`}
        <div class="choices">
          <button class="button main" data-confirm disabled=${busy || !chosen.size || (plan && !plan.planned.length)}>
            <${T} of=${busy ? w.sending : plan ? w.beginDrill : w.whoIsRung} /></button>
          <button type="button" class="button" onClick=${plan ? () => setPlan(null) : onClose}><${T} of=${w.no} /></button>
        </div>
      </form>
    <//>`;
}

const Plan = ({ plan, how }) => html`
  <div data-plan>
    <p class="banner drill"><${T} of=${w.drillPlanned(plan.groups, plan.people, how.minutes)} /></p>
    <ul class="gaps">${plan.planned.map((one) => html`
      <li key=${one.household} class="planned">${one.group_name ?? ""} · ${one.name} <span class="dim">${one.household}</span> · <${T} of=${w.peopleCount(one.people)} /></li>`)}
      ${plan.left_out.map((gap) => html`<li key=${gap.what}>✕ ${gap.what}: ${gap.reason}</li>`)}</ul>
    <p><${T} of=${how.escalate ? w.withEscalation : w.withoutEscalation} /></p>
  </div>`;

const seconds = (value) => (value === null ? "—" : `${value.toFixed(1)} s`);

// What came of one drill, as it is now.
export function ReportDialog({ id, onClose, onEnded }) {
  const [report, setReport] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    let timer = null;
    let closed = false;
    const look = () => get(`/v1/drills/${id}`).then((found) => {
      if (closed) return;
      setReport(found);
      setProblem(null);
      if (found.open_cases || !found.drill.over) timer = setTimeout(look, AGAIN_MS);
    }, (failed) => { if (!closed) { setProblem(failed); timer = setTimeout(look, AGAIN_MS); } });
    look();
    return () => { closed = true; clearTimeout(timer); };
  }, [id]);
  const end = () => insist("POST", `/v1/drills/${id}/end`, { body: {}, tries: 3 }).then(onEnded, setProblem);
  return html`
    <${Dialog} title=${w.drillReport} onClose=${onClose}>
      <div class="report" data-report=${id}>
        ${problem && html`<p class="problem" role="alert"><${T} of=${problem.words} /></p>`}
        ${report && html`<${Report} report=${report} />`}
        <div class="deeds">
          <a class="button small" download href=${`/v1/drills/${id}/report.csv?as=${encodeURIComponent(actingAs)}`}>CSV</a>
          ${report && !report.drill.over && html`<button type="button" class="small" data-end onClick=${end}><${T} of=${w.endDrill} /></button>`}
          <button type="button" class="small" data-close onClick=${onClose}><${T} of=${w.close} /></button>
        </div>
      </div>
    <//>`;
}

const Report = ({ report }) => html`
  <p class="banner drill" data-open=${report.open_cases}><${T} of=${w.drillSum(report.called, report.reached, report.answered)} /></p>
  <ul class="lines">${report.lines.map((line) => html`
    <li key=${`${line.case} ${line.responder}`} data-responder=${line.responder} data-reached=${String(line.reached)}>
      <span><b>${line.name || line.responder}</b> <span class="dim">${line.household_name}</span></span>
      <span class="channels">${line.channels.map((one) => html`
        <span key=${one.channel} class=${`outcome ${one.outcome ?? "owed"}`}>${nameOf(channels, one.channel)[0]} ${nameOf(states, one.outcome ?? "owed")[0]}${one.reason && html` <small>${reasonWords(one.reason)[0]}</small>`}</span>`)}</span>
      <span><span class="seconds"><${T} of=${w.firstReached} /> ${seconds(line.delivered_seconds)}</span>
        ${" "}<span class="seconds"><${T} of=${line.answer ? nameOf(answers, line.answer) : w.firstAnswer} /> ${seconds(line.answered_seconds)}</span></span>
      ${line.why.includes(" / ") && html`<span class="dim">${line.why.split(" (")[0]}</span>`}
    </li>`)}</ul>
  <ul class="gaps">${report.missing.map((gap) => html`<li key=${gap.what}>${gap.what}: ${gap.reason}</li>`)}</ul>`;
