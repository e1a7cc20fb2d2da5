// Finding the household for which somebody telephones: by name, address, number or telephone.

import { get } from "../lib/api.js";
import { html, T, useEffect, useRef, useState } from "../lib/ui.js";
import { w } from "../lib/words.js";

const SETTLE_MS = 250;

// A field of a form: its value is the chosen household's number, under the name `household`.
export function HouseholdSearch() {
  const [asked, setAsked] = useState("");
  const [answer, setAnswer] = useState(null);
  const [chosen, setChosen] = useState(null);
  const timer = useRef(0);
  const latest = useRef("");
  const input = useRef();
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => input.current.setCustomValidity(chosen ? "" : w.chooseHousehold.join(" ")));

  const search = async (words) => {
    const said = await get(`/v1/households?q=${encodeURIComponent(words)}`).catch((problem) => ({ problem }));
    if (words !== latest.current) return;
    setAnswer(said);
  };
  const typed = ({ target }) => {
    const words = target.value.trim();
    setAsked(target.value);
    if (words === latest.current) return;
    latest.current = words;
    setAnswer(null);
    setChosen(null);
    clearTimeout(timer.current);
    if (words) timer.current = setTimeout(search, SETTLE_MS, words);
  };
  // Enter chooses, and only then raises: never one that was found for a number that was misheard.
  const entered = (event, one) => {
    if (event.key !== "Enter" || chosen === one.id) return;
    event.preventDefault();
    setChosen(one.id);
  };
  return html`
    <div class="field">
      <label for="household-search"><${T} of=${w.household} /> <small class="dim"><${T} of=${w.householdHint} /></small></label>
      <input type="search" id="household-search" ref=${input} value=${asked} onInput=${typed} maxlength="100"
        autofocus autocomplete="off" />
    </div>
    <div class="found" role="radiogroup" aria-label=${w.household.join(" ")} aria-live="polite">
      ${asked.trim() && !answer && html`<p class="dim"><${T} of=${w.searching} /></p>`}
      ${answer?.problem && html`<p class="problem"><${T} of=${answer.problem.words} /></p>`}
      ${answer?.households?.map((one) => html`
        <label class="check" key=${one.id}><input type="radio" name="household" value=${one.id}
            checked=${chosen === one.id} onChange=${() => setChosen(one.id)} onKeyDown=${(event) => entered(event, one)} />
          <span><b>${one.name}</b> <span class="dim">${one.id} ${one.phone ?? ""}</span><br />
            ${one.address} <span class="dim">${one.areas.join(" · ")}</span></span></label>`)}
      ${answer?.households?.length === 0 && answer.complete && html`<p><${T} of=${w.noHousehold} /></p>`}
      ${answer?.complete === false && html`<p class="dim"><${T} of=${w.moreHouseholds} /></p>`}
    </div>`;
}
