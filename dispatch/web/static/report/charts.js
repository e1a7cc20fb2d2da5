// Charts as plain SVG: they print sharp, and need nothing.

import { html } from "../lib/ui.js";

// Bars from zero to `most`. `bars`: [{label, value, title}], a null value has no bar; `ticks`: [value, text].
export function Bars({ bars, most, width = 340, height = 110, ticks, every = 1, label }) {
  const left = 38;
  const bottom = height - 16;
  const top = 8;
  const step = (width - left - 6) / Math.max(bars.length, 1);
  const y = (value) => bottom - (bottom - top) * (most ? Math.min(value / most, 1) : 0);
  return html`
    <svg class="chart" viewBox=${`0 0 ${width} ${height}`} role="img" aria-label=${label}>
      ${ticks.map(([value, text]) => html`
        <g key=${text}><line class="grid" x1=${left} x2=${width} y1=${y(value)} y2=${y(value)} />
          <text x=${left - 4} y=${y(value) + 3} font-size="11" text-anchor="end">${text}</text></g>`)}
      ${bars.map(({ label: text, value, title }, at) => html`
        <g key=${text}>
          <rect class=${value === null ? "bar none" : "bar"} x=${left + at * step + step * 0.14} width=${step * 0.72}
            y=${value === null ? bottom - 2 : y(value)} height=${value === null ? 2 : Math.max(bottom - y(value), 0)}><title>${title}</title></rect>
          ${at % every === 0 && html`<text x=${left + (at + 0.5) * step} y=${height - 3} font-size="11" text-anchor="middle">${text}</text>`}
        </g>`)}
      <line class="axis" x1=${left} x2=${width} y1=${bottom} y2=${bottom} />
    </svg>`;
}

// Hours of the week: a row for each day, a cell for each hour, the darker the more; `upright`, for a phone, a column
// for each day. `hours`: [{day, hour, cases}].
export function Week({ hours, days, label, upright = false }) {
  const counted = new Map(hours.map(({ day, hour, cases }) => [`${day}.${hour}`, cases]));
  const most = Math.max(1, ...counted.values());
  const [left, cell, tall] = [34, upright ? 44 : 26, 20];
  const names = Array.from({ length: 24 }, (_, hour) => String(hour));
  const [across, down] = upright ? [days, names] : [names, days];
  return html`
    <svg class="chart week" viewBox=${`0 0 ${left + across.length * cell} ${16 + down.length * tall}`} role="img" aria-label=${label}>
      ${across.map((name, at) => html`
        <text key=${name} x=${left + (at + 0.5) * cell} y="11" font-size="11" text-anchor="middle">${name}</text>`)}
      ${down.map((name, at) => html`
        <text key=${name} x=${left - 5} y=${16 + at * tall + 14} font-size="11" text-anchor="end">${name}</text>`)}
      ${days.map((name, day) => html`
        <g key=${name}>
          ${names.map((hour) => {
            const cases = counted.get(`${day + 1}.${hour}`) ?? 0;
            const [column, row] = upright ? [day, Number(hour)] : [Number(hour), day];
            const [x, y] = [left + column * cell, 16 + row * tall];
            return html`
              <g key=${hour}>
                <rect class=${cases ? "heat" : "heat-none"} fill-opacity=${cases ? 0.18 + 0.82 * cases / most : 1}
                  x=${x + 0.5} y=${y + 0.5} width=${cell - 1} height=${tall - 1}><title>${name} ${hour}:00 · ${cases}</title></rect>
                ${cases > 0 && html`<text class=${cases / most > 0.45 ? "heat-on" : ""} x=${x + cell / 2} y=${y + 14}
                  font-size="11" text-anchor="middle">${cases}</text>`}
              </g>`;
          })}
        </g>`)}
    </svg>`;
}

// A round number at or above `value` for the top of an axis.
export function ceiling(value) {
  const steps = [1, 2, 4, 5, 10, 20, 40, 50];
  for (let ten = 1; ; ten *= 10) {
    const found = steps.find((step) => step * ten >= value);
    if (found) return found * ten;
  }
}
