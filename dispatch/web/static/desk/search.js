// Finding a home or a person in the roster, by whatever somebody says of them on the telephone.

import { get } from "../lib/api.js";
import { html, T, useEffect, useRef, useState } from "../lib/ui.js";
import { w } from "../lib/words.js";

const SETTLE_MS = 250;

const homes = {
  name: "household", path: "/v1/households", found: "households", label: w.household, hint: w.householdHint, choose: w.chooseHousehold, none: w.noHousehold,
  tell: (one) => html`${one.address} <span class="dim">${one.areas.join(" · ")}</span>`,
};
const people = {
  name: "responder", path: "/v1/people", found: "people", label: w.person, hint: w.personHint, choose: w.choosePerson, none: w.noPerson,
  tell: (one) => html`<span class="dim">${one.of.join(" · ")}</span>`,
};
export const HouseholdSearch = () => html`<${Search} ...${homes} />`;
export const PersonSearch = () => html`<${Search} ...${people} />`;

// A field of a form: its value is the number of whom or what was chosen, under `name`.
function Search({ name, path, found, label, hint, choose, none, tell }) {
  const [asked, setAsked] = useState("");
  const [answer, setAnswer] = useState(null);
  const [chosen, setChosen] = useState(null);
  const timer = useRef(0);
  const latest = useRef("");
  const input = useRef();
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => input.current.setCustomValidity(chosen ? "" : choose.join(" ")));

  const search = async (words) => {
    const said = await get(`${path}?q=${encodeURIComponent(words)}`).catch((problem) => ({ problem }));
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
  // Enter chooses, and only then sends: never one that was found for a number that was misheard.
  const entered = (event, one) => {
    if (event.key !== "Enter" || chosen === one.id) return;
    event.preventDefault();
    setChosen(one.id);
  };
  return html`
    <div class="field">
      <label for=${`${name}-search`}><${T} of=${label} /> <small class="dim"><${T} of=${hint} /></small></label>
      <input type="search" id=${`${name}-search`} ref=${input} value=${asked} onInput=${typed} maxlength="100"
        autofocus autocomplete="off" />
    </div>
    <div class="found" role="radiogroup" aria-label=${label.join(" ")} aria-live="polite">
      ${asked.trim() && !answer && html`<p class="dim"><${T} of=${w.searching} /></p>`}
      ${answer?.problem && html`<p class="problem"><${T} of=${answer.problem.words} /></p>`}
      ${answer?.[found]?.map((one) => html`
        <label class="check" key=${one.id}><input type="radio" name=${name} value=${one.id}
            checked=${chosen === one.id} onChange=${() => setChosen(one.id)} onKeyDown=${(event) => entered(event, one)} />
          <span><b>${one.name}</b> <span class="dim">${one.id} ${one.phone ?? ""}</span><br />
            ${tell(one)}</span></label>`)}
      ${answer?.[found]?.length === 0 && answer.complete && html`<p><${T} of=${none} /></p>`}
      ${answer?.complete === false && html`<p class="dim"><${T} of=${w.moreFound} /></p>`}
    </div>`;
}
