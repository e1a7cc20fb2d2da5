// The operator's desk: what is open, most urgent first, and everything known of the case that is chosen.

import { call, get, identity, insist, newKey } from "../lib/api.js";
import { isOpen, Live } from "../lib/live.js";
import { chime, canSound, onSound, unlock } from "../lib/sound.js";
import { html, LineState, page, T } from "../lib/ui.js";
import { kinds, w } from "../lib/words.js";
import { Detail } from "../desk/detail.js";
import { AlarmDialog, CloseDialog, DeedDialog, LetterDialog } from "../desk/dialogs.js";
import { DrillDialog, DrillList, Drills, ReportDialog } from "../desk/drills.js";
import { unneeded } from "../desk/escalation.js";
import { CaseList } from "../desk/list.js";
import { byUrgency } from "../desk/order.js";
import { Dlq, Incidents, Letters, Recent } from "../desk/side.js";
import { History } from "../desk/timeline.js";
import { Unseen } from "../desk/unseen.js";
import { report } from "../report/words.js";

const REMIND_MS = 10_000;
const PAUSE_MINUTES = 5;
const SOUND = `dispatch.desk.sound.${identity.subject}`;
const SEEN = `dispatch.desk.seen.${identity.subject}`;

const state = {
  me: null, selected: null, awaited: null, area: "", kind: "", recording: null, asked: null, problem: null, busy: false, said: null, dealt: null,
  sound: localStorage.getItem(SOUND) !== "off",
};
const unseen = new Unseen(SEEN);
const WIDE = matchMedia("(min-width: 761px)"); // where a case stands beside the list, not in its place
let declined = new Set(); // what was open when the operator went back to no case at all

function select(id) {
  const other = id !== state.selected;
  if (!id) declined = new Set(live.open.map((view) => view.id));
  unseen.look(id);
  Object.assign(state, { selected: id, awaited: null, recording: null, problem: null });
  draw();
  if (other && id) document.querySelector(".case-pane").firstElementChild.scrollIntoView(); // from its top
}

function shown() {
  const fits = (view) => (!state.area || view.areas.some((area) => area.id === state.area)) && (!state.kind || view.kind === state.kind);
  return byUrgency(live.open.filter(fits), unseen);
}

// There is nothing to choose from. It does not count as looked at: the operator may be anywhere.
function showTheOnly() {
  const { open } = live;
  if (!state.selected && open.length === 1 && !declined.has(open[0].id) && WIDE.matches) state.selected = open[0].id;
}

function onCase(view, before) {
  if (unseen.take(view, before) && state.sound) chime();
  const { awaited } = state;
  if (awaited?.household !== view.household.id || !isOpen(view)) return;
  awaited.case = view.id;
  if (awaited.accepted) select(view.id);
}

// Sends, and says what went wrong where the operator is looking. True when it was done.
async function act(send) {
  Object.assign(state, { busy: true, problem: null });
  draw();
  try {
    await send();
    return true;
  } catch (problem) {
    state.problem = problem;
    return false;
  } finally {
    state.busy = false;
    draw();
  }
}

const post = (path, body, key = newKey()) => act(() => insist("POST", path, { body, key, tries: 3 }));

const actions = {
  back: () => select(null),
  record: (responder) => { state.recording = responder; draw(); },
  note: (view, text) => post(`/v1/cases/${view.id}/notes`, { text }),
  close: (view, resolution) => { Object.assign(state, { asked: { view, resolution }, problem: null }); draw(); },
  ask(view, deed) {
    // Who is called meanwhile is not stood down with the others.
    const responders = unneeded(view).map((one) => one.id);
    Object.assign(state, { asked: { view, deed, responders, key: newKey() }, problem: null });
    draw();
  },
  async answer(view, responder, answer, minutes) {
    const eta = minutes === undefined ? {} : { eta_minutes: minutes };
    if (await post(`/v1/cases/${view.id}/replies`, { responder, answer, ...eta })) actions.record(null);
  },
};

async function closeCase({ text }) {
  const { view, resolution } = state.asked;
  const done = resolution ? post(`/v1/cases/${view.id}/resolve`, { resolution, text })
    : post(`/v1/cases/${view.id}/cancel`, { reason: text });
  if (await done) dismiss();
}

async function carryOut({ responder = "", even_left_out: even }) {
  const { view, deed, responders, key } = state.asked;
  const body = {
    widen: () => ({}), pause: () => ({ minutes: PAUSE_MINUTES }), resume: () => ({}), "stand-down": () => ({ responders, rest: true }),
    calls: () => ({ responder, even_left_out: even === "on" }),
    "hand-over": () => ({ again: Boolean(view.handed_over) }),
  }[deed];
  // Another name in the same dialog is another call.
  const sent = () => insist("POST", `/v1/cases/${view.id}/${deed}`, { body: body(), key: deed === "calls" ? newKey() : key, tries: 3 });
  if (await act(sent)) dismiss();
}

// A ring cannot be taken back, so it is asked for first; a letter that was put aside can.
async function dealWith({ reason = "" }) {
  const { letter, letterDeed, key } = state.asked;
  const body = letterDeed === "retry" ? { old_press: letter.old_press } : { reason: reason.trim() };
  let after = null;
  const path = `/v1/dlq/${letter.seq}/${letterDeed}`;
  if (!await act(async () => { after = await call("POST", path, { body, key, timeout: 30_000 }); })) return;
  state.dealt = after;
  dismiss();
}

async function takeBack() {
  const { seq } = state.dealt;
  if (await post(`/v1/dlq/${seq}/reopen`, {})) state.dealt = null;
  draw();
}

async function raise({ household, kind, silent, drill }) {
  const body = { household, kind, silent: silent === "on", drill: drill === "on" };
  // Its case can be on the board before the answer is here.
  const awaited = { household, case: null, accepted: false };
  state.awaited = awaited;
  if (!await post("/v1/alarms", body, state.asked.key)) return;
  awaited.accepted = true;
  state.said = w.raised;
  dismiss();
  if (awaited.case && state.awaited === awaited) select(awaited.case);
}

function dismiss() {
  Object.assign(state, { asked: null, problem: null });
  draw();
}

async function toggleSound() {
  state.sound = !(state.sound && canSound());
  localStorage.setItem(SOUND, state.sound ? "on" : "off");
  if (state.sound && await unlock()) chime();
  draw();
}

function Page() {
  // Whose screen this is now, nobody knows: nothing of any home stays on it.
  if (live.state === "signed-out") return html`<${LineState} live=${live} />`;
  const views = shown();
  const open = live.open;
  const view = live.cases.get(state.selected);
  if (view) history.show(view);
  letters.show(live.dlq);
  const waiting = open.filter((one) => one.status === "raised" && !one.drill).length;
  document.title = `${waiting ? `(${waiting}) ` : ""}${w.desk[0]} · ${w.appName[0]}`;
  document.body.dataset.view = view ? "case" : "list";
  return html`
    <${Bar} open=${open} />
    ${state.sound && !canSound() && html`<div class="banner amber" role="status" data-no-sound><${T} of=${w.deskSoundOff} /></div>`}
    <${LineState} live=${live} urgent=${w.lineStale} />
    <${Incidents} incidents=${live.incidents} />
    ${state.problem && !state.asked && html`
      <div class="banner bad" role="alert"><${T} of=${state.problem.words} />
        <button type="button" class="small" onClick=${dismiss}><${T} of=${w.close} /></button></div>`}
    <div class="desk-grid">
      <section class="pane list-pane"><${Filters} open=${open} />
        <${CaseList} views=${views} total=${open.length} selected=${state.selected} unseen=${unseen} onSelect=${select} /></section>
      <main class="pane case-pane">${view ? html`
        <${Detail} key=${view.id} view=${view} history=${history} recording=${state.recording} actions=${actions} />`
        : html`<p class="empty"><${T} of=${w.pickCase} /><br /><small class="dim"><${T} of=${w.keys} /></small></p>`}</main>
      <aside class="pane side-pane">
        <${Dealt} />
        <${Dlq} dlq=${live.dlq} letters=${letters.letters} onAsk=${state.me && !state.me.area && askLetter} />
        <${Drills} drills=${drills.drills} onShow=${showDrill} />
        <${Recent} views=${[...live.cases.values()]} selected=${state.selected} onSelect=${select} />
      </aside>
    </div>
    <${Asked} />
    <p class="visually-hidden" role="status">${state.said ? state.said.join(" ") : ""}</p>
    <p class="visually-hidden" role="alert">${waiting ? `${w.nobodyComing.join(" ")} ${waiting}` : ""}</p>`;
}

function Bar({ open }) {
  const count = (status) => open.filter((view) => view.status === status && !view.drill).length; // a drill counts nowhere
  return html`
    <header class="bar">
      <h1><${T} of=${w.desk} /> <small class="dim">${state.me?.name ?? ""}</small></h1>
      <dl class="counts">
        ${[["raised", w.nobodyComing], ["under_way", w.underWay], ["on_scene", w.arrived]].map(([status, words]) => html`
          <div key=${status} class=${`count ${status} ${count(status) ? "some" : ""}`}><dt><${T} of=${words} /></dt><dd>${count(status)}</dd></div>`)}
      </dl>
      <div class="tools">
        <button type="button" class="small" aria-pressed=${String(state.sound && canSound())} onClick=${toggleSound}>
          ${state.sound && canSound() ? "✓" : "○"} <${T} of=${w.soundCases} /></button>
        <a class="small" data-report-link target="report" href=${`/desk/${identity.subject}/report`}><${T} of=${report.link} /></a>
        <button type="button" class="small" data-new-drill onClick=${() => { Object.assign(state, { asked: { drill: true }, problem: null }); draw(); }}>
          <${T} of=${w.newDrill} /></button>
        <button type="button" class="small raise" onClick=${() => { Object.assign(state, { asked: { key: newKey() }, problem: null, said: null }); draw(); }}>
          <${T} of=${w.newAlarm} /></button>
        <span class="line ${live.state}">${live.state === "live" ? "●" : "○"} <${T} of=${live.state === "live" ? w.lineGood : w.lineConnecting} /></span>
      </div>
    </header>`;
}

function Filters({ open }) {
  const areas = new Map(open.flatMap((view) => view.areas).map((area) => [area.id, area.name]));
  const pick = (name, all, options) => html`
    <select aria-label=${all.join(" ")} value=${state[name]} onChange=${(event) => { state[name] = event.target.value; draw(); }}>
      <option value="">${all.join(" ")}</option>${options.map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}
    </select>`;
  return html`
    <div class="filters">
      ${pick("area", w.allAreas, [...areas])}
      ${pick("kind", w.allKinds, Object.entries(kinds).map(([kind, words]) => [kind, words.join(" ")]))}
      <small class="dim"><${T} of=${w.order} /></small>
    </div>`;
}

function showDrill(report) {
  Object.assign(state, { asked: { report }, problem: null });
  draw();
}

function askLetter(letter, letterDeed) {
  Object.assign(state, { asked: { letter, letterDeed, key: newKey() }, problem: null, dealt: null });
  draw();
}

function Dealt() {
  if (!state.dealt) return null;
  const { seq, state: standing, reason } = state.dealt;
  const words = { dismissed: w.letterDismissed, retried: w.letterRetried }[standing] ?? w.letterStays;
  return html`
    <section class="block" role="status" data-dealt=${standing}>
      <p><${T} of=${words} /> #${seq}</p>
      ${standing === "open" && html`<p>${reason}</p>`}
      <div class="deeds">
        ${standing === "dismissed" && html`<button type="button" class="small" data-undo onClick=${takeBack}><${T} of=${w.undo} /></button>`}
        <button type="button" class="small" onClick=${() => { state.dealt = null; draw(); }}><${T} of=${w.close} /></button>
      </div>
    </section>`;
}

function Asked() {
  if (!state.asked) return null;
  const common = { problem: state.problem, busy: state.busy, onClose: dismiss };
  if (state.asked.deed) {
    return html`<${DeedDialog} asked=${state.asked} onSubmit=${carryOut} ...${common} />`;
  }
  if (state.asked.report) return html`<${ReportDialog} key=${state.asked.report} id=${state.asked.report} onClose=${dismiss} onEnded=${() => drills.look()} />`;
  if (state.asked.drill) return html`<${DrillDialog} onClose=${dismiss} onBegun=${() => { drills.look(); dismiss(); }} />`;
  if (state.asked.letter) return html`<${LetterDialog} asked=${state.asked} onSubmit=${dealWith} ...${common} />`;
  if (state.asked.view) return html`<${CloseDialog} asked=${state.asked} onSubmit=${closeCase} ...${common} />`;
  return html`<${AlarmDialog} onSubmit=${raise} ...${common} />`;
}

function step(by) {
  const views = shown();
  const at = views.findIndex((view) => view.id === state.selected);
  const next = views[at < 0 ? 0 : Math.min(Math.max(at + by, 0), views.length - 1)];
  if (!next) return;
  select(next.id);
  setTimeout(() => document.querySelector(`.list-pane [data-case="${next.id}"]`)?.scrollIntoView({ block: "nearest" }), 50);
}

const shortcuts = {
  j: () => step(1),
  k: () => step(-1),
  n: () => document.getElementById("note")?.focus(),
  Escape: () => !state.asked && select(null),
};

addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select");
  if (event.ctrlKey || event.metaKey || event.altKey || state.asked || (typing && event.key !== "Escape")) return;
  const act = shortcuts[event.key];
  if (!act) return;
  event.preventDefault();
  if (typing) typing.blur();
  else act();
});
async function touched() {
  if (unseen.look(state.selected)) draw();
  if (!state.sound || canSound() || !await unlock()) return;
  remind();
  draw();
}
for (const gesture of ["click", "keydown"]) addEventListener(gesture, touched);

// As long as nobody has looked at an alarm in earnest.
function remind() {
  if (state.sound && live.open.some((view) => unseen.has(view.id) && !view.drill)) chime();
}

const draw = page(() => html`<${Page} />`);
const history = new History(draw);
const letters = new Letters(draw);
const drills = new DrillList(draw);
const live = new Live({
  changed: () => { showTheOnly(); draw(); }, onCase, onSignedOut: () => live.forgetAll(), keeps: (view) => view.id === state.selected,
});
onSound(draw);
get("/v1/me").then((me) => { state.me = me; draw(); }, () => {});
setInterval(remind, REMIND_MS);
draw();
