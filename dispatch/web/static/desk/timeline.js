// What happened on a case, second by second, read back from the history.

import { get } from "../lib/api.js";
import { shortLocal } from "../lib/clock.js";
import { At, html, T } from "../lib/ui.js";
import { answers, nameOf, w } from "../lib/words.js";
import { becauses, channels, nextBecauses, reasonWords, resolutions, sources, states } from "./words.js";

const AGAIN_MS = 5000;
const SETTLE_MS = 150;

// Keeps the entries of the case that is shown, and fetches them again whenever it has moved on.
export class History {
  constructor(changed) {
    this.changed = changed;
    this.forget();
  }

  forget() {
    Object.assign(this, { id: null, seq: 0, entries: null, away: false });
    clearTimeout(this.timer);
  }

  show(view) {
    if (view.id !== this.id) {
      this.forget();
      this.id = view.id;
    }
    if (view.seq <= this.seq) return;
    this.seq = view.seq;
    this.#later(this.entries ? SETTLE_MS : 0);
  }

  #later(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#fetch(this.id, this.seq), milliseconds);
  }

  async #fetch(id, seq) {
    let answer = null;
    try {
      answer = await get(`/v1/cases/${id}/timeline?min_seq=${seq}`);
    } catch {
      // Shown as "away", and asked for again.
    }
    if (id !== this.id) return;
    this.away = !answer;
    if (answer) this.entries = answer.entries;
    const behind = this.away || !this.entries.some((entry) => entry.seq >= seq);
    if (behind && seq === this.seq) this.#later(AGAIN_MS);
    this.changed();
  }
}

export function Timeline({ history, view }) {
  const names = new Map(view.responders.map((one) => [one.id, one.name]));
  const entries = [...(history.entries ?? [])].reverse().filter(isSaid);
  return html`
    <section class="block"><h3><${T} of=${w.timeline} /></h3>
      ${history.away && html`<p class="notice" role="status"><${T} of=${w.historyAway} /></p>`}
      <ol class="timeline">${entries.map((entry) => html`
        <li key=${`${entry.seq}-${entry.index}`}><${At} at=${entry.at} /><span>${said(entry, names)}</span></li>`)}</ol>
    </section>`;
}

// A hand-over to a post where nobody stands calls nobody.
const isSaid = ({ type, data }) => type !== "responders_called" || data.calls.length > 0;

function said({ type, at, data = {} }, names) {
  const who = (id) => names.get(id) ?? id;
  const by = (author = "") => who(author.slice(author.indexOf(":") + 1));
  const asked = (author) => (author === "system" ? "" : ` · ${by(author)}`);
  // Who raised it, where a person did.
  const source = () => nameOf(sources, data.source)[0] + (data.source === "desk" ? ` ${by(data.device)}` : "");
  const call = ({ responder, channel, outcome, reason }) =>
    `${who(responder)} ${nameOf(channels, channel)[0]} ${nameOf(states, outcome)[0]}${reason ? `（${reasonWords(reason)[0]}）` : ""}`;
  const sentences = {
    alarm_raised: () => `报警 Alarm raised · ${source()}`,
    pressed_again: () => `再次报警 Raised again · ${source()}`,
    responders_called: () => `呼叫 Called：${data.calls.map((one) => who(one.responder)).join("、")}`,
    calls_recorded: () => data.outcomes.map(call).join("；"),
    responder_replied: () => `${who(data.responder)} ${nameOf(answers, data.answer).join(" ")}`
      + (data.eta_minutes == null ? "" : ` ${w.minutes(data.eta_minutes)[0]}`) + (data.via === "operator" ? "（代记 by operator）" : ""),
    responder_cleared: () => `${who(data.responder)} 处置完毕 Cleared`,
    policy_stamped: () => `预案 Policy：${data.policy}`,
    widening_asked: () => `要求升级 Widening asked for${asked(data.by)}`,
    escalated: () => `升级至第${data.position + 1}步 Widened to step ${data.position + 1} · ${nameOf(becauses, data.because).join(" ")}${asked(data.by)}`,
    responders_stood_down: () => `解除 Stood down：${data.responders.map(who).join("、")}${asked(data.by)}`,
    // A pause that ends as it begins takes one back.
    escalation_paused: () => (Date.parse(data.until) <= Date.parse(at) ? "继续升级 Resumed" : `暂停升级至 Paused until ${shortLocal(data.until)}`) + asked(data.by),
    fell_back: () => `改用下一方式 Next channel：${data.calls.map((one) => `${who(one.responder)} ${nameOf(channels, one.channel)[0]}（${nameOf(nextBecauses, one.because)[0]}）`).join("、")}`,
    handed_over: () => `移交110 Handed over to 110${data.to.length ? "" : "（名册未登记 not in the roster）"}${asked(data.by)}`,
    case_noted: () => `${by(data.author)}：${data.text}`,
    case_resolved: () => `结案 Resolved · ${nameOf(resolutions, data.resolution).join(" ")} · ${by(data.by)} ${data.text}`,
    duress_signalled: () => `胁迫密码 Duress PIN · ${by(data.by)}`,
    household_stamped: () => `该户 The household${data.residents.length ? ` · 同住 living there：${data.residents.map(who).join("、")}` : ""}`
      + (data.beside ? ` · 另有受胁迫的警情 beside its case under duress：${data.beside}` : ""),
    residents_spared: () => `同住不呼叫 Live there, not called：${data.people.map(who).join("、")}`,
    responder_left_out: () => `不得呼叫 Left out：${who(data.responder)}${asked(data.by)}`,
    case_cancelled: () => `撤销 Cancelled · ${by(data.by)} ${data.reason}`,
  };
  return sentences[type]?.() ?? type;
}
