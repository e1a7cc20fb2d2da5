// The one-tap link: shows the case, and answers when a key is tapped. Opening it changes nothing.

import { AlarmCard, isStoodDown, reasonOf, StoodDown } from "../lib/alarm.js";
import { AnswerKeys, AnswerState } from "../lib/answers.js";
import { get, insist } from "../lib/api.js";
import { isOpen } from "../lib/live.js";
import { Rest } from "../lib/rest.js";
import { html, page, T } from "../lib/ui.js";
import { w } from "../lib/words.js";

const ASK_AGAIN_MS = 5000;

const link = location.pathname;
const state = { view: null, problem: null, sending: null };
let next = 0;

const isGone = (problem) => [401, 403, 404, 410].includes(problem?.status);
const isSettled = () => (state.view && !isOpen(state.view)) || isGone(state.problem);

// What was asked before an answer was given may come after it.
function take(view) {
  if (!(view.version < state.view?.version)) state.view = view;
}

// Asks how the case stands, and again while it is open and somebody looks at it.
async function load() {
  try {
    take(await get(`${link}/case`));
    state.problem = null;
  } catch (problem) {
    state.problem = problem;
  }
  draw();
  clearTimeout(next);
  next = setTimeout(look, ASK_AGAIN_MS * (1 + Math.random())); // not all pages of an alarm in step
}

function look() {
  if (!document.hidden && !isSettled()) load();
}

async function answer(given) {
  const say = (stage, problem) => {
    if (stage !== "sending" && state.sending?.given !== given) return;
    state.sending = { stage, problem, given };
    draw();
  };
  say("sending");
  try {
    take(await insist("POST", link, { body: given, onWait: (problem) => say("retrying", problem) }));
    say("recorded");
  } catch (problem) {
    say("failed", problem);
    load(); // it may be over, or no link of theirs any more
  }
}

function Page() {
  const { view, problem, sending } = state;
  if (problem && (!view || isGone(problem))) return html`<main><${Failed} problem=${problem} /></main>`;
  if (!view) return html`<main><p role="status"><${T} of=${w.linkLoading} /></p></main>`;
  const me = view.responders.find((one) => one.id === view.you);
  const given = ["sending", "retrying"].includes(sending?.stage) ? sending.given : me;
  // What was recorded is said as it is by now: they, or an operator for them, may have answered otherwise since.
  const became = sending?.stage === "recorded" && me?.answer ? { ...sending, given: me } : sending;
  return html`
    <main>
      <${AlarmCard} view=${view} />
      ${isOpen(view) ? html`
        <div class="slot" aria-live="assertive">${became ? html`<${AnswerState} sending=${became} />`
          : isStoodDown(me) ? html`<${StoodDown} view=${view} />` : !me?.answer && html`<p class="answer-state"><${T} of=${w.linkTapOne} /></p>`}</div>
        <${AnswerKeys} mine=${given} disabled=${rest.holds([given?.answer, view.silent, view.duress].join(" "))} onAnswer=${answer} />
        ${problem && html`<p class="problem" role="status"><${T} of=${w.lineStale} /></p>`}
        <p class="why"><${T} of=${w.changeHint} />${me && html` · <${T} of=${w.why} />：${reasonOf(me)}`}</p>`
      : html`<section class="over" role="status"><p class="big-line"><${T} of=${w.linkOver} /></p></section>`}
    </main>`;
}

function Failed({ problem }) {
  const gone = isGone(problem);
  return html`
    <p class="answer-state failed" role="alert"><${T} of=${gone ? w.linkBad : problem.words} /></p>
    ${!gone && html`<button type="button" class="button main" onClick=${load}><${T} of=${w.tryAgain} /></button>`}`;
}

const draw = page(() => html`<${Page} />`);
const rest = new Rest(draw);
addEventListener("visibilitychange", look);
draw();
load();
