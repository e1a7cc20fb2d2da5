// The resident's page: one key, and then who is coming.

import { call, identity, whoAmI } from "../lib/api.js";
import { now } from "../lib/clock.js";
import { Dialog } from "../lib/dialog.js";
import { Hold } from "../lib/hold.js";
import { isOpen, Live } from "../lib/live.js";
import { Press } from "../lib/press.js";
import { buzz } from "../lib/sound.js";
import { html, LineState, page, T } from "../lib/ui.js";
import { kinds, w } from "../lib/words.js";
import { Coming, Sending } from "../resident/coming.js";

const SHOW_CLOSED_MS = 10 * 60_000;

const FIRST_CHOICE = { kind: "help", silent: false };
const choice = { ...FIRST_CHOICE };
const say = { note: null, confirming: null, cancelling: false, notCancelled: null, refusedPin: null, pinNeeded: false, dismissed: null };
let me = null;

function onCase(view, before, started) {
  if (isOpen(view)) press.clear();
  else if (before && isOpen(before)) Object.assign(choice, FIRST_CHOICE); // the next press is not silent unasked
  const good = started && !view.silent && view.coming + view.on_scene > (before ? before.coming + before.on_scene : 0);
  if (good) buzz([120, 80, 120]);
}

function newest(views) {
  return views.reduce((best, view) => (!best || view.raised_at > best.raised_at ? view : best), null);
}

function shown() {
  const open = newest(live.open);
  if (open) return open;
  const closed = newest([...live.cases.values()].filter((view) => view.closing));
  const fresh = closed && closed.id !== say.dismissed && now() - Date.parse(closed.closing.at) < SHOW_CLOSED_MS;
  return fresh ? closed : null;
}

function note(words) {
  say.note = words;
  draw();
}

function send() {
  say.note = null;
  if (!live.open.length) say.dismissed = shown()?.id; // of what is open the end is still to be told
  press.start(choice);
}

function Page() {
  const view = shown();
  const open = view && isOpen(view);
  const quiet = choice.silent || press.state?.silent || (open && view.silent);
  document.body.classList.toggle("quiet", Boolean(quiet));
  return html`
    <${Top} />
    <${LineState} live=${live} urgent=${w.pushLate} />
    ${open && view.drill && html`<div class="banner drill"><${T} of=${w.drillLong} /></div>`}
    <main>
      <div aria-live="assertive" class="rows">
        ${press.state && html`<${Sending} state=${press.state} />`}
        ${!press.state && view && (open ? html`<${Coming} view=${view} quiet=${quiet} />` : html`<${Over} view=${view} />`)}
      </div>
      ${!open && !press.state && html`<${Kinds} />`}
      <${Key} open=${open || press.state} helped=${open && view.coming + view.on_scene > 0} quiet=${quiet} />
      ${!open && !press.state && html`<${SilentChip} />`}
      <div class="rows">
        ${open && html`<${CancelKey} view=${view} quiet=${quiet} />`}
      </div>
      <div class="police-place">
        <a class="button police ${open || press.pending || live.state === "signed-out" || me?.in_roster === false ? "danger" : ""}" href="tel:110"><${T} of=${w.callPolice} /></a>
      </div>
    </main>
    <${CancelDialog} view=${open && view} />`;
}

function Top() {
  const known = me?.in_roster !== false;
  const good = live.state === "live" && known;
  const words = good ? w.ready : !known ? w.notKnown : live.state === "connecting" ? w.lineConnecting : w.notReady;
  return html`
    <header class="top">
      <span class="who">${me?.name ?? ""}</span>
      <span class="ready ${good ? "" : "off"}">${good ? "●" : "○"} <${T} of=${words} /></span>
    </header>
    ${!known && html`<div class="banner bad" role="alert"><${T} of=${w.notKnownHere} /></div>`}`;
}

function Kinds() {
  const step = (from, by) => {
    const names = Object.keys(kinds);
    choice.kind = names[(names.indexOf(from) + by + names.length) % names.length];
    draw();
    document.querySelector('.kinds [aria-checked="true"]').focus();
  };
  const keys = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  return html`
    <fieldset class="kinds" role="radiogroup">
      <legend><${T} of=${w.chooseKind} /></legend>
      ${Object.entries(kinds).map(([kind, words]) => html`
        <button type="button" role="radio" class="chip" key=${kind} aria-checked=${String(choice.kind === kind)}
          tabindex=${choice.kind === kind ? 0 : -1} onClick=${() => { choice.kind = kind; draw(); }}
          onKeyDown=${(event) => event.key in keys && step(kind, keys[event.key])}><${T} of=${words} /></button>`)}
    </fieldset>`;
}

const SilentChip = () => html`
  <button type="button" class="chip quiet" aria-pressed=${String(choice.silent)}
    onClick=${() => { choice.silent = !choice.silent; draw(); }}><${T} of=${w.silent} /></button>`;

function Key({ open, helped, quiet }) {
  const words = open ? w.pressAgain : kinds[choice.kind];
  return html`
    <div class="key-place">
      <${Hold} class=${`key ${open ? "again" : ""} ${helped ? "helped" : ""}`} quiet=${quiet} label=${`${words.join(" ")} — ${w.holdToCall.join(" ")}`}
        onHeld=${send} onStart=${() => note(w.keepHolding)} onEarly=${() => note(w.tooShort)}>
        <span class="kind"><${T} of=${words} /></span>
        <span class="how"><${T} of=${w.holdToCall} /></span>
      <//>
      <p class="say" role="status">${say.note && html`<${T} of=${say.note} />`}</p>
    </div>`;
}

function overWords({ status, closing }) {
  if (status === "cancelled") return w.overCancelled;
  return closing.resolution === "handed_over" ? w.overHandedOver : w.overResolved;
}

const Over = ({ view }) => html`
  <section class="card over" data-status=${view.status}>
    <p class="line"><${T} of=${overWords(view)} /></p>
    <button type="button" class="button" onClick=${() => { say.dismissed = view.id; draw(); }}><${T} of=${w.close} /></button>
  </section>`;

function notCancelledWords(problem) {
  const type = problem.document.type ?? "";
  if (type.endsWith(":wrong-pin")) return w.cancelWrongPin;
  if (type.endsWith(":too-frequent")) return w.cancelTooOften(Math.ceil(problem.retryAfter));
  return problem.status === 403 ? w.cancelSilent : problem.words;
}

const CancelKey = ({ view, quiet }) => html`
  ${say.notCancelled?.case === view.id && html`<p class="problem" role="alert"><${T} of=${w.cancelFailed} /> — <${T}
    of=${notCancelledWords(say.notCancelled.problem)} /></p>`}
  <${Hold} key=${view.id} class="stop" quiet=${quiet} onEarly=${() => {}} label=${w.cancelHold.join(" ")}
    onHeld=${() => { Object.assign(say, { confirming: view.id, notCancelled: null, refusedPin: null }); draw(); }}><${T} of=${w.cancelHold} /><//>`;

// What another PIN, or the same a little later, can mend is said where it is typed; all else on the page.
function notCancelled(view, problem, close) {
  const type = problem.document.type ?? "";
  say.pinNeeded ||= type.endsWith(":pin-needed");
  const again = [":pin-needed", ":wrong-pin", ":too-frequent"].some((end) => type.endsWith(end));
  if (!again) {
    say.notCancelled = { case: view.id, problem };
    close();
    return;
  }
  say.refusedPin = type.endsWith(":pin-needed") ? null : problem; // the field itself asks for one
  draw();
  const field = document.querySelector("dialog [name=pin]");
  if (!field) return; // they have gone back meanwhile
  field.value = "";
  field.focus();
}

function CancelDialog({ view }) {
  if (!view || say.confirming !== view.id) return null;
  const close = () => { Object.assign(say, { confirming: null, refusedPin: null }); draw(); };
  const cancel = async (event) => {
    event.preventDefault();
    if (say.cancelling) return;
    say.cancelling = true;
    const { pin } = event.target;
    try {
      await call("POST", `/v1/cases/${view.id}/cancel`, { body: pin ? { pin: pin.value } : {} });
      close();
    } catch (problem) {
      notCancelled(view, problem, close);
    } finally {
      say.cancelling = false;
    }
  };
  return html`
    <${Dialog} title=${w.cancelSure} onClose=${close}>
      <form onSubmit=${cancel}>
        ${(me?.pin || say.pinNeeded) && html`
          <label class="field"><span><${T} of=${w.cancelPin} /></span>
            <input type="password" name="pin" inputmode="numeric" pattern="[0-9]*" maxlength="8" required autocomplete="off" /></label>
          ${say.refusedPin && html`<p class="problem stack" role="alert"><${T} of=${notCancelledWords(say.refusedPin)} /></p>`}`}
        <div class="choices">
          <button type="button" class="button main" autofocus onClick=${close}><${T} of=${w.cancelNo} /></button>
          <button class="button" data-confirm><${T} of=${w.cancelYes} /></button>
        </div>
      </form>
    <//>`;
}

const draw = page(() => html`<${Page} />`);
const live = new Live({ changed: draw, onCase, onSignedOut: () => live.forgetAll() });
const press = new Press(identity.subject, () => {
  // The case can be here before the answer is, and then nothing may come after it for long.
  if (press.state.stage === "accepted" && live.open.length) press.clear();
  draw();
});
press.resume();
whoAmI((answer) => { me = answer; draw(); });
navigator.serviceWorker?.register("/sw.js", { scope: location.pathname }).catch(() => {});
draw();
