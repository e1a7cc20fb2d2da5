// The month of an area, as it is printed.

import { actingAs, get, identity } from "../lib/api.js";
import { html, page, T } from "../lib/ui.js";
import { kinds, nameOf, w } from "../lib/words.js";
import { Bars, ceiling, Week } from "../report/charts.js";
import { judged, Percentiles, percent, Responses, STEPS, Work } from "../report/tables.js";
import { report as r } from "../report/words.js";

const phone = matchMedia("screen and (max-width: 640px)");
const state = { report: null, problem: null, busy: false };

const asked = () => {
  const { searchParams } = new URL(location.href);
  return Object.fromEntries(["month", "area"].map((name) => [name, searchParams.get(name)]).filter(([, value]) => value));
};
const query = (values) => new URLSearchParams(values).toString();

async function load() {
  Object.assign(state, { busy: true, problem: null });
  draw();
  try {
    state.report = await get(`/v1/reports/month?${query(asked())}`, { timeout: 15_000 });
    document.title = `${heading(state.report)[0]} · ${w.appName[0]}`;
  } catch (problem) {
    Object.assign(state, { problem, report: null });
  }
  state.busy = false;
  draw();
}

function show(values) {
  history.pushState(null, "", `?${query({ ...asked(), ...values })}`);
  load();
}

// The desk went on meanwhile, in the tab from which this one was opened.
function backToTheDesk(event) {
  if (!opener || opener.closed) return;
  event.preventDefault();
  close();
}

function follow(event, values) {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  show(values);
}

function heading({ month, area_name: name }) {
  const [year, number] = month.split("-");
  const english = new Date(`${month}-01T00:00:00Z`).toLocaleDateString("en", { month: "long", year: "numeric", timeZone: "UTC" });
  return [`${name ?? r.wholeSite[0]} ${year}年${Number(number)}月 ${r.title[0]}`, `${name ?? r.wholeSite[1]} · ${r.title[1]} · ${english}`];
}

function Controls({ report }) {
  const file = (kind) => `/v1/reports/month.${kind}?${query({ ...asked(), ...(report && { month: report.month }), as: actingAs })}`;
  return html`
    <nav class="controls">
      <a class="button" href=${`/desk/${identity.subject}`} onClick=${backToTheDesk}>← <${T} of=${w.desk} /></a>
      <label><span class="visually-hidden">${r.month.join(" ")}</span>
        <input type="month" name="month" pattern="\\d{4}-\\d{2}" value=${report?.month ?? asked().month ?? ""}
          onChange=${(event) => event.target.value && show({ month: event.target.value })} /></label>
      ${report && html`<span class="path">${[...report.path].reverse().map(({ id, name }) => (id === report.area
        ? html`<b key=${id}>${name}</b>`
        : html`<a key=${id} href=${`?${query({ ...asked(), area: id })}`} onClick=${(event) => follow(event, { area: id })}>${name} ›</a>`))}</span>`}
      <span class="right">
        <button type="button" class="button main" onClick=${() => print()}><${T} of=${r.print} /></button>
        <a class="button" download href=${file("csv")}>CSV</a>
        <a class="button" download href=${file("xlsx")}>XLSX</a>
      </span>
    </nav>`;
}

function Bucket({ step, report }) {
  const now = report.total.steps[step];
  return html`
    <div class="bucket" data-bucket=${step} data-share=${now.share}>
      <${T} of=${r.steps[step]} />
      <span class="share">${percent(now.share)}</span>
      <span class="of">${now.within} / ${judged(now)}</span>
      ${[[r.monthBefore, report.month_before], [r.yearBefore, report.year_before]].map(([words, before]) => html`
        <span class="change" key=${words[0]}><${T} of=${words} /> <${Change} now=${now.share} before=${before.steps[step].share} /></span>`)}
    </div>`;
}

function Change({ now, before }) {
  if (now === null || before === null) return "—";
  const points = (now - before) * 100;
  const sign = points > 0 ? "+" : points < 0 ? "−" : "±";
  return html`<b class=${points > 0 ? "up" : points < 0 ? "down" : ""}>${sign}${Math.abs(points).toFixed(1)}</b>`;
}

function Sheet({ report }) {
  const { total } = report;
  const [zh, en] = heading(report);
  const area = (id) => `?${query({ ...asked(), area: id })}`;
  const counted = [[r.cases, total.cases], [r.open, total.open], [r.cancelled, total.cancelled],
    [r.falseAlarms, total.false_alarms], [r.drillsLeftOut, report.drills]];
  return html`
    <article class="sheet" data-month=${report.month} data-area=${report.area ?? ""}>
      <h1>${zh}<span class="en" lang="en">${en}</span></h1>
      <p class="facts">${counted.map(([words, number]) => html`<span key=${words[0]}><${T} of=${words} /> <b>${number}</b> · </span>`)}
        <${T} of=${r.asOf} /> <b>${new Date(report.as_of).toLocaleString("zh-CN", { timeZone: report.zone, hourCycle: "h23" })}</b> ${report.zone}</p>
      <div class="buckets">${STEPS.map((step) => html`<${Bucket} key=${step} step=${step} report=${report} />`)}</div>
      ${!total.cases && html`<p class="empty"><${T} of=${r.noCases} /></p>`}

      <h2><${T} of=${r.howLong} /></h2>
      <${Percentiles} total=${total} />

      <h2><${T} of=${r.trends} /></h2>
      <${Trends} report=${report} />

      ${report.areas.length > 0 && html`
        <h2><${T} of=${r.byArea} /></h2>
        <${Responses} rows=${report.areas} first=${r.area} link=${report.areas.length > 1 || report.areas[0].key !== report.area ? area : null} />
        <${NotListed} number=${report.left_out.areas} />`}

      <h2><${T} of=${r.byTarget} /></h2>
      <${Responses} rows=${report.targets} first=${r.target} />

      <h2><${T} of=${r.byKind} /></h2>
      <${Responses} rows=${report.kinds} first=${r.kind} name=${(row) => nameOf(kinds, row.key).join(" ")} />

      <h2><${T} of=${r.hotHours} /></h2>
      <figure class="scroll"><${Week} hours=${report.hours} days=${r.weekdays} label=${r.hotHours.join(" ")} upright=${phone.matches} /></figure>
      ${report.hot_areas.length > 0 && html`
        <p class="facts list"><${T} of=${r.most} /> ${report.hot_areas.slice(0, 5).map((one) => html`
          <span key=${`${one.area} ${one.kind}`}>${one.name} ${nameOf(kinds, one.kind)[0]} <b>${one.cases}</b></span>`)}</p>`}

      <h2><${T} of=${r.officers} /></h2>
      <${Work} rows=${report.officers} first=${r.name} />
      <${NotListed} number=${report.left_out.officers} />

      <h2><${T} of=${r.groups} /></h2>
      <${Work} rows=${report.groups} first=${r.name} />
      <${NotListed} number=${report.left_out.groups} />

      <footer class="notes">${r.notes.map((words) => html`<p key=${words[0]}><${T} of=${words} /></p>`)}</footer>
    </article>`;
}

const NotListed = ({ number }) => number > 0 && html`
  <p class="facts" data-not-listed><b>${number}</b> <${T} of=${r.notListed} /></p>`;

function Trends({ report }) {
  const most = ceiling(Math.max(1, ...report.days.map((day) => day.cases)));
  const days = report.days.map((day) => ({ label: String(Number(day.key.slice(8))), value: day.cases, title: `${day.key} · ${day.cases}` }));
  const months = (step) => report.months.map((month) => {
    const { share, within } = month.steps[step];
    return { label: String(Number(month.key.slice(5, 7))), value: share, title: `${month.key.slice(0, 7)} · ${percent(share)} · ${within}/${judged(month.steps[step])}` };
  });
  const narrow = phone.matches;
  const shares = [[0, "0"], [0.5, "50%"], [1, "100%"]];
  return html`
    <figure class="scroll"><figcaption><${T} of=${r.perDay} /></figcaption>
      <${Bars} bars=${days} most=${most} width=${narrow ? 340 : 700} every=${narrow ? 5 : 1} height=${120} ticks=${[[0, "0"], [most, String(most)]]} label=${r.perDay.join(" ")} /></figure>
    <div class="charts">${STEPS.map((step) => html`
      <figure key=${step}><figcaption><${T} of=${r.steps[step]} /></figcaption>
        <${Bars} bars=${months(step)} most=${1} ticks=${shares} label=${`${r.steps[step].join(" ")} ${r.perMonth.join(" ")}`} /></figure>`)}</div>`;
}

const draw = page(() => html`
  <${Controls} report=${state.report} />
  ${state.problem && html`<div class="banner bad" role="alert"><${T} of=${state.problem.words} />
    <button type="button" class="button" onClick=${load}><${T} of=${w.tryAgain} /></button></div>`}
  ${state.busy && !state.report && html`<p class="sheet empty" role="status"><${T} of=${r.reading} /></p>`}
  ${state.report && html`<${Sheet} report=${state.report} />`}`);

addEventListener("click", (event) => {
  const link = event.target.closest(".sheet a[href^='?']");
  if (link) follow(event, Object.fromEntries(new URLSearchParams(link.search)));
});
addEventListener("popstate", load);
phone.addEventListener("change", draw);
load();
