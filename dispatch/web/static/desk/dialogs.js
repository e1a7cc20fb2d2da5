// What an operator is asked before something changes for other people.

import { now, span } from "../lib/clock.js";
import { Dialog } from "../lib/dialog.js";
import { tooFew } from "../lib/escalation.js";
import { At, html, T } from "../lib/ui.js";
import { kinds, nameOf, w } from "../lib/words.js";
import { HouseholdSearch, PersonSearch } from "./search.js";
import { deeds, resolutions } from "./words.js";

function Form({ title, onClose, onSubmit, danger, confirm, problem, busy, children }) {
  const submitted = (event) => {
    event.preventDefault();
    onSubmit(Object.fromEntries(new FormData(event.target)));
  };
  return html`
    <${Dialog} title=${title} onClose=${onClose}>
      <form onSubmit=${submitted}>
        ${children}
        ${problem && html`<p class="problem" role="alert"><${T} of=${problem.words} /></p>`}
        <div class="choices">
          <button class=${`button ${danger ? "danger" : "main"}`} disabled=${busy} data-confirm><${T} of=${busy ? w.sending : confirm} /></button>
          <button type="button" class="button" onClick=${onClose}><${T} of=${w.no} /></button>
        </div>
      </form>
    <//>`;
}

export function CloseDialog({ asked, ...rest }) {
  const { view, resolution } = asked;
  const words = resolution ? nameOf(resolutions, resolution) : w.cancelCase;
  return html`
    <${Form} ...${rest} title=${resolution ? w.resolve : w.cancelCase} confirm=${words} danger=${!resolution}>
      <p><b>${view.household.name}</b> ${view.household.address}</p>
      <p><${T} of=${resolution ? w.resolveSure : w.cancelCaseSure} /></p>
      <label class="field"><span><${T} of=${w.reason} /></span><input type="text" name="text" maxlength="1000" autocomplete="off" /></label>
    <//>`;
}

export function DeedDialog({ asked, ...rest }) {
  const { view, deed, responders } = asked;
  const { words, sure } = deeds[deed];
  return html`
    <${Form} ...${rest} title=${words} confirm=${words}>
      <p><b>${view.household.name}</b> ${view.household.address}</p>
      ${deed === "stand-down" && html`<p><${T} of=${w.notNeeded(responders.length)} /></p>`}
      ${deed === "stand-down" && tooFew(view) && html`
        <p class="problem" role="alert" data-too-few><${T} of=${w.fewStay(...tooFew(view))} /></p>`}
      ${deed === "stand-down" && !view.coming && !view.on_scene && html`
        <p class="problem" role="alert" data-nobody-left><${T} of=${w.nobodyLeft} /></p>`}
      ${deed === "calls" && html`
        <${PersonSearch} />
        ${rest.problem?.document?.type?.endsWith(":left-out") && html`
          <label class="check"><input type="checkbox" name="even_left_out" /> <${T} of=${w.callLeftOut} /></label>`}`}
      ${deed === "hand-over" && view.handed_over && html`<p class="problem" role="alert"><${T} of=${w.handOverAgain} /></p>`}
      <p><${T} of=${sure} /></p>
    <//>`;
}

export function LetterDialog({ asked, ...rest }) {
  const { letter, letterDeed } = asked;
  const retry = letterDeed === "retry";
  return html`
    <${Form} ...${rest} title=${retry ? w.retryLetter : w.dismissLetter} confirm=${retry ? w.retry : w.dismissLetter} danger=${retry && letter.old_press}>
      <p><b>${letter.household ?? letter.subject}</b> ${letter.household_name} <span class="dim">${letter.by} · <${At} at=${letter.stored_at} /></span></p>
      <p>${letter.reason}</p>
      ${retry && letter.old_press && html`<p class="notice" data-old><${T} of=${w.oldPress(span(now() - Date.parse(letter.stored_at)))} /></p>`}
      ${retry ? html`<p><${T} of=${!letter.readable ? w.retryUnreadableSure : letter.stream === "INTAKE" ? w.retryPressSure : w.retrySure} /></p>` : html`
        <label class="field"><span><${T} of=${w.reason} /></span>
          <input type="text" name="reason" required maxlength="500" autocomplete="off" /></label>
        <p><${T} of=${w.dismissSure} /></p>`}
    <//>`;
}

export const AlarmDialog = (rest) => html`
  <${Form} ...${rest} title=${w.newAlarm} confirm=${w.raise} danger>
    <${HouseholdSearch} />
    <label class="field"><span><${T} of=${w.kindWord} /></span>
      <select name="kind">${Object.entries(kinds).map(([kind, words]) => html`<option key=${kind} value=${kind}>${words.join(" ")}</option>`)}</select></label>
    <div class="checks">
      <label class="check"><input type="checkbox" name="silent" /> <${T} of=${w.silent} /></label>
      <label class="check"><input type="checkbox" name="drill" /> <${T} of=${w.drill} /></label>
    </div>
  <//>`;
