// The responder's page: stands by, rings until it is answered, and shows who else goes.

import { AlarmCard, answerText, byNearness, isStoodDown, reasonOf, StoodDown } from "../lib/alarm.js";
import { AnswerKeys, AnswerState } from "../lib/answers.js";
import { identity, insist, whoAmI } from "../lib/api.js";
import { now } from "../lib/clock.js";
import { isOpen, Live } from "../lib/live.js";
import { Phone } from "../lib/phone.js";
import { Rest } from "../lib/rest.js";
import { hush, ring } from "../lib/sound.js";
import { Elapsed, html, LineState, page, T } from "../lib/ui.js";
import { kinds, nameOf, w } from "../lib/words.js";
import { followsDrill, isNeeded, overWords } from "../responder/over.js";
import { Shown } from "../responder/shown.js";

const SHOW_CLOSED_MS = 10 * 60_000;
const FULL = 3; // so many other cases fill their place (responder.css); more of them move nothing
const MISSED = new Set(["failed", "sent"]);

const muted = new Set(); // cases that somebody hushed or answered since they last rang
const seen = new Set();
const rung = new Map(); // case → notification
const confirmed = new Set(); // notification and step of each call that the page confirmed although it was made without it
const dismissed = new Set();
const sending = new Map(); // case → what became of the last tap
let me = null;

const mine = (view) => view.responders.find((one) => one.id === identity.subject);
// An operator can call somebody again who has answered: that call waits for an answer of its own.
const answered = (one) => one?.answer && !(Date.parse(one.called_at) > Date.parse(one.answered_at));
const unanswered = (view) => isOpen(view) && !answered(mine(view)) && !isStoodDown(mine(view));
const ringing = (view) => unanswered(view) && !muted.has(view.id);

const lately = (view) => view.closing && now() - Date.parse(view.closing.at) < SHOW_CLOSED_MS;
const justOver = (view) => lately(view) && !dismissed.has(view.id) && !isNeeded(view, live.open, mine);

function sameHome({ beside }) {
  const first = live.cases.get(beside);
  return first && isOpen(first) ? w.sameHome : w.sameHomeBefore;
}

function ringOrHush() {
  if (live.open.some(ringing)) ring();
  else hush();
}

const receipt = (notification, outcome) =>
  insist("POST", `/v1/rings/${notification}/receipt`, { body: { outcome }, tries: 6 });

// The call was made while this page was not there, and nobody waits for its answer any more.
function confirmLate(view) {
  const { step, channels } = mine(view);
  const missed = channels.some(({ channel, outcome }) => channel === "live" && MISSED.has(outcome));
  const call = `${view.notification} ${step}`;
  if (!missed || !unanswered(view) || confirmed.has(call)) return;
  confirmed.add(call);
  receipt(view.notification, "delivered").catch(() => confirmed.delete(call));
}

function onRing(message) {
  rung.set(message.case, message.notification);
  muted.delete(message.case);
  receipt(message.notification, "delivered").catch(() => {});
  document.querySelector(".cases")?.scrollTo(0, 0); // where what rings stands first
  ringOrHush();
}

function onCase(view, before) {
  if (mine(view)) {
    if (before && mine(before) && mine(view).called_at !== mine(before).called_at) calledAgain(view);
    rung.set(view.id, view.notification);
    confirmLate(view);
  }
  ringOrHush();
}

// Whose phone this is now, nobody knows: nothing of any home stays on it.
function onSignedOut() {
  live.forgetAll();
  ringOrHush();
}

// What was done about an earlier call must not keep a new one quiet.
function calledAgain({ id }) {
  shown.calledAgain(id);
  muted.delete(id);
  seen.delete(id);
  if (["recorded", "failed"].includes(sending.get(id)?.stage)) sending.delete(id);
}

// Somebody touches the page while it rings: a person has seen the call.
function touched() {
  for (const view of live.open.filter(unanswered)) {
    const notification = rung.get(view.id);
    if (!notification || seen.has(view.id)) continue;
    seen.add(view.id);
    receipt(notification, "seen").catch(() => {});
  }
}

async function answer(view, given) {
  const say = (stage, problem) => {
    sending.set(view.id, { stage, problem, given });
    draw();
  };
  const latest = () => sending.get(view.id)?.given === given;
  muted.add(view.id);
  shown.keep(view.id);
  say("sending");
  ringOrHush();
  try {
    const onWait = (problem) => latest() && say("retrying", problem);
    live.learn(await insist("POST", `/v1/cases/${view.id}/replies`, { body: given, onWait }));
    if (latest()) say("recorded");
  } catch (problem) {
    if (latest()) say("failed", problem);
  }
}

function order(views) {
  // A drill never stands before an alarm in earnest.
  const rank = (view) => (!isOpen(view) ? 4 : view.drill ? 3 : unanswered(view) ? 0 : isStoodDown(mine(view)) ? 2 : 1);
  return views.sort((a, b) => rank(a) - rank(b) || (a.raised_at < b.raised_at ? 1 : -1));
}

const givesWay = (view, other) => (view.drill || isStoodDown(mine(view))) && !other.drill && unanswered(other);

function Page() {
  const views = order([...live.cases.values()].filter(mine));
  const open = views.filter(isOpen);
  const view = shown.of(open, givesWay);
  const known = me?.in_roster !== false;
  const good = live.state === "live" && known;
  const line = good ? w.lineGood : !known ? w.notKnown : live.state === "signed-out" ? w.signedOut : w.lineConnecting;
  return html`
    <header class="top">
      <span class="who">${me?.name ?? ""}</span>
      <span class=${good ? "good-line" : "off-line"}><${T} of=${line} /></span>
    </header>
    ${!known && html`<div class="banner bad" role="alert"><${T} of=${w.notKnownPerson} /></div>`}
    <${LineState} live=${live} urgent=${w.lineStale} />
    <main class=${view && ringing(view) ? "ringing" : ""} onPointerDown=${touched} onKeyDown=${touched}>
      ${open.length > 1 && html`<${OtherCases} others=${open.filter((one) => one !== view)} />`}
      ${view && html`<${Called} view=${view} key=${view.id} others=${open.length - 1} />`}
      <${Ended} views=${views.filter(justOver)} />
      ${!view && html`<div class="idle"><p class="state"><${T} of=${good ? w.onCall : w.offCall} /></p>
        ${known && live.state !== "signed-out" && !phone.sounds && html`<${phone.SoundKey} large />`}
        ${good && phone.sounds && html`<p class="dim"><${T} of=${w.onCallHint} /></p>`}</div>`}
      <${phone.Switches} quiet=${Boolean(view)} />
    </main>
    <p class="visually-hidden" role="alert">${open.filter(unanswered).map((one) => `${(one.drill ? w.drillCalls : w.needsHelp).join(" ")} ${one.household.address}`).join(" ")}</p>`;
}

const isBeingAnswered = (view) => ["sending", "retrying"].includes(sending.get(view.id)?.stage);
const calls = (view) => unanswered(view) && !isBeingAnswered(view);

function standing(view) {
  if (isBeingAnswered(view)) return w.answerSending[0];
  if (unanswered(view)) return "";
  return isStoodDown(mine(view)) ? w.notToCome[0] : answerText(mine(view))[0];
}

const callWords = (view) => (mine(view).answer ? w.calledOnceMore : view.drill ? w.anotherDrill : w.anotherAlarm);

const OtherCases = ({ others }) => html`
  <nav class="cases">${others.map((one) => html`
    <button type="button" key=${one.id} class=${`button ${calls(one) ? "another" : ""}`} data-other=${one.id}
      onClick=${() => { shown.keep(one.id); draw(); }}>
      ${calls(one) && html`<b class="another-head"><${T} of=${callWords(one)} /></b>`}
      <span>${one.drill && `【${w.drill[0]}】`}${one.duress && `【${w.duress[0]}】`}${one.silent && `【${w.silent[0]}】`}${nameOf(kinds, one.kind)[0]} · ${one.household.address || one.household.name}</span>
      ${one.duress && one.beside && html`<span data-duress><${T} of=${sameHome(one)} /></span>`}
      <span>${standing(one)} <${Elapsed} since=${one.pressed_at} /></span>
    </button>`)}
    ${others.length >= FULL && html`<p class="how-many"><${T} of=${w.otherCases(others.length)} /></p>`}</nav>`;

function Called({ view, others }) {
  const me = mine(view);
  const state = sending.get(view.id);
  const given = me.answer || state?.stage === "failed" ? me : state?.given;
  const afterDrill = followsDrill(view, [...live.cases.values()].filter(lately));
  const rests = rest.holds([view.id, Math.min(others, FULL), given?.answer, view.silent, view.duress, afterDrill].join(" "));
  return html`
    <${AlarmCard} view=${view} sameHome=${sameHome(view)} afterDrill=${afterDrill} />
    <div class="slot" aria-live="polite"><${Slot} view=${view} state=${state} /></div>
    <${AnswerKeys} mine=${given} disabled=${rests} onAnswer=${(given) => answer(view, given)} />
    ${me.answer && html`<p class="why"><${T} of=${w.changeHint} /></p>`}
    ${!view.silent && view.household.phone && html`
      <a class="button" href=${`tel:${view.household.phone}`}><${T} of=${w.callBack} /></a>`}
    <${Others} view=${view} />
    <p class="why"><${T} of=${w.why} />：${reasonOf(me)}</p>`;
}

// One place of one height for whatever is to be said, so that no key moves under a finger.
function Slot({ view, state }) {
  if (state && !ringing(view)) return html`<${AnswerState} sending=${state} />`;
  if (isStoodDown(mine(view))) return html`<${StoodDown} view=${view} />`;
  if (!unanswered(view)) return null;
  if (!phone.sounds) return html`<${phone.SoundKey} />`;
  const mute = () => { muted.add(view.id); ringOrHush(); draw(); };
  return ringing(view) && html`<button type="button" class="button" onClick=${mute}><${T} of=${w.muteRing} /></button>`;
}

function Others({ view }) {
  const others = view.responders.filter((one) => one.id !== identity.subject);
  const heardOf = others.filter((one) => one.answer).sort(byNearness);
  return html`
    <section class="others" aria-live="polite">
      <h2><${T} of=${w.othersGoing} /></h2>
      ${!heardOf.length && html`<p class="dim"><${T} of=${w.nobodyYet} /></p>`}
      <ul>${heardOf.map((one) => html`
        <li key=${one.id} data-responder=${one.id}><span>${one.name}</span>
          <b class=${one.answer === "cannot" ? "no" : ""}><${T} of=${answerText(one)} /></b></li>`)}</ul>
      <p class="dim"><${T} of=${w.calledAlso(others.length)} /></p>
    </section>`;
}

// The newest to be seen, the others when they are asked for: what calls stands above them.
function Ended({ views }) {
  const [newest, ...others] = views.sort((a, b) => Date.parse(b.closing.at) - Date.parse(a.closing.at));
  return newest && html`
    <${Over} key=${newest.id} view=${newest} />
    ${others.length > 0 && html`
      <details class="more-over"><summary class="button"><${T} of=${w.moreOver(others.length)} /></summary>
        ${others.map((one) => html`<${Over} key=${one.id} view=${one} />`)}</details>`}`;
}

const Over = ({ view }) => html`
  <section class="over" role="status" data-over=${view.id} data-status=${view.status}>
    ${view.drill && html`<span><span class="tag drill"><${T} of=${w.drill} /></span></span>`}
    <p class="big-line"><${T} of=${overWords(view, live.cases)} /></p>
    <p>${nameOf(kinds, view.kind)[0]} · ${view.household.address || view.household.name}</p>
    <button type="button" class="button" onClick=${() => { dismissed.add(view.id); draw(); }}><${T} of=${w.close} /></button>
  </section>`;

const draw = page(() => html`<${Page} />`);
const phone = new Phone(draw);
const shown = new Shown();
const rest = new Rest(draw);
const live = new Live({ changed: draw, onCase, onRing, onSignedOut });
let begun = false;
const begin = (key) => { if (!begun) phone.begin(key); begun = true; };
whoAmI((answer) => { me = answer; begin(me.vapid_public_key); draw(); }).then(() => begin());
draw();
