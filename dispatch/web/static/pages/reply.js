// The one-tap link: shows the case, and answers when a key is tapped. Opening it changes nothing.

import { AlarmCard, isStoodDown, reasonOf, StoodDown } from "../lib/alarm.js";
import { AnswerKeys, AnswerState } from "../lib/answers.js";
import { get, insist } from "../lib/api.js";
import { isOpen } from "../lib/live.js";
import { html, page, T } from "../lib/ui.js";
import { w } from "../lib/words.js";

const link = location.pathname;
const state = { view: null, problem: null, sending: null };

async function load() {
  try {
    state.view = await get(`${link}/case`);
    state.problem = null;
  } catch (problem) {
    state.problem = problem;
  }
  draw();
}

async function answer(given) {
  const say = (stage, problem) => {
    if (stage !== "sending" && state.sending?.given !== given) return;
    state.sending = { stage, problem, given };
    draw();
  };
  say("sending");
  try {
    await insist("POST", link, { body: given, onWait: (problem) => say("retrying", problem) });
    say("recorded");
  } catch (problem) {
    say("failed", problem);
  }
  load();
}

function Page() {
  const { view, problem, sending } = state;
  if (!view && problem) return html`<main><${Failed} problem=${problem} /></main>`;
  if (!view) return html`<main><p role="status"><${T} of=${w.linkLoading} /></p></main>`;
  const me = view.responders.find((one) => one.id === view.you);
  return html`
    <main>
      <${AlarmCard} view=${view} />
      ${isOpen(view) ? html`
        <div aria-live="assertive">${sending ? html`<${AnswerState} sending=${sending} />`
          : isStoodDown(me) ? html`<${StoodDown} view=${view} />` : !me?.answer && html`<p class="answer-state"><${T} of=${w.linkTapOne} /></p>`}</div>
        <${AnswerKeys} mine=${sending && sending.stage !== "failed" ? sending.given : me} onAnswer=${answer} />
        <p class="why"><${T} of=${w.changeHint} />${me && html` · <${T} of=${w.why} />：${reasonOf(me)}`}</p>`
      : html`<section class="over" role="status"><p class="big-line"><${T} of=${w.linkOver} /></p></section>`}
    </main>`;
}

function Failed({ problem }) {
  const gone = [401, 403, 404, 410].includes(problem.status);
  return html`
    <p class="answer-state failed" role="alert"><${T} of=${gone ? w.linkBad : problem.words} /></p>
    ${!gone && html`<button type="button" class="button main" onClick=${load}><${T} of=${w.tryAgain} /></button>`}`;
}

const draw = page(() => html`<${Page} />`);
draw();
load();
