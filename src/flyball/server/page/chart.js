// One line over time, with its interval and with marks for what was decided. Drawn at the width it is shown at, so that
// its text is as large as the page's on every screen.

import { html, value } from "./parts.js";

const HEIGHT = 230, LEFT = 46, RIGHT = 12, TOP = 22, BOTTOM = 26;
const MARKS = { promote: ["▲", "promoted"], deploy: ["▲", "promoted"], refuse: ["✕", "refused"], "roll back": ["▼", "rolled back"] };

export function chart(name, points, marks, width) {
  const lows = points.map((p) => p.low ?? p.value), highs = points.map((p) => p.high ?? p.value);
  const ticks = ticksBetween(Math.min(...lows), Math.max(...highs));
  const [low, high] = [ticks[0], ticks[ticks.length - 1]];
  const [first, last] = [points[0].at, points[points.length - 1].at];
  const x = (at) => (LEFT + ((at - first) / (last - first || 1)) * (width - LEFT - RIGHT)).toFixed(1);
  const y = (v) => (TOP + (1 - (v - low) / (high - low || 1)) * (HEIGHT - TOP - BOTTOM)).toFixed(1);
  const digits = Math.max(0, Math.ceil(-Math.log10(ticks[1] - ticks[0]) - 1e-9));
  const word = (at) => new Date(at).toISOString().slice(...(last - first < 3 * 86400e3 ? [5, 16] : [0, 10])).replace("T", " ");
  const band = [...points.map((p, i) => `${x(p.at)},${y(highs[i])}`), ...points.map((p, i) => `${x(p.at)},${y(lows[i])}`).reverse()].join(" ");
  const inside = marks.filter((m) => MARKS[m.kind] && m.at >= first && m.at <= last);
  const dates = width < 600 ? [0, 1] : [0, 0.25, 0.5, 0.75, 1];
  const newest = points[points.length - 1];
  return html`<svg class="chart" width="${width}" height="${HEIGHT}" viewBox="0 0 ${width} ${HEIGHT}" role="img" aria-label="${name} from ${word(first)} to ${word(last)}: lowest ${value(Math.min(...points.map((p) => p.value)))}, highest ${value(Math.max(...points.map((p) => p.value)))}, now ${value(newest.value)}.">
    ${ticks.map((t) => html`<line class="grid" x1="${LEFT}" x2="${width - RIGHT}" y1="${y(t)}" y2="${y(t)}"></line><text x="${LEFT - 8}" y="${y(t)}" dy="4" text-anchor="end">${t.toFixed(digits)}</text>`)}
    ${inside.map((m) => html`<g class="mark ${m.kind.split(" ")[0]}"><title>${word(m.at)} ${m.kind}: ${m.text}</title><line x1="${x(m.at)}" x2="${x(m.at)}" y1="${TOP - 4}" y2="${HEIGHT - BOTTOM}"></line><text x="${x(m.at)}" y="${TOP - 8}" text-anchor="middle">${MARKS[m.kind][0]}</text></g>`)}
    <polygon class="band" points="${band}"></polygon>
    <polyline class="line" points="${points.map((p) => `${x(p.at)},${y(p.value)}`).join(" ")}"></polyline>
    ${points.map((p) => html`<circle cx="${x(p.at)}" cy="${y(p.value)}" r="3.5"><title>${word(p.at)}: ${value(p.value)}${p.low == null ? "" : ` (${value(p.low)} to ${value(p.high)})`}</title></circle>`)}
    ${dates.map((share) => html`<text x="${x(first + share * (last - first))}" y="${HEIGHT - 6}" text-anchor="${share === 0 ? "start" : share === 1 ? "end" : "middle"}">${word(first + share * (last - first))}</text>`)}
  </svg><p class="soft">${[...new Set(inside.map((m) => m.kind === "deploy" ? "promote" : m.kind))].map((kind) => html`<span class="legend ${kind.split(" ")[0]}">${MARKS[kind][0]} ${MARKS[kind][1]}</span> `)}The band is the 95 % interval.</p>`;
}

// Several lines over numbers, one colour for each run wherever it is shown.
export function curves(name, series, width, unit) {
  const points = series.flatMap((s) => s.points);
  if (!points.length) return html`<p class="empty">Nothing but undefined values.</p>`;
  const values = points.map(([, v]) => v), places = points.map(([p]) => p);
  const ticks = ticksBetween(least(values), -least(values.map((v) => -v)));
  const [low, high, first, last] = [ticks[0], ticks[ticks.length - 1], least(places), -least(places.map((p) => -p))];
  const across = ticksBetween(first, last).filter((t) => t >= first && t <= last);
  const x = (p) => (LEFT + 14 + ((p - first) / (last - first || 1)) * (width - LEFT - 14 - RIGHT)).toFixed(1);
  const y = (v) => (TOP + (1 - (v - low) / (high - low || 1)) * (HEIGHT - TOP - BOTTOM)).toFixed(1);
  return html`<svg class="chart" width="${width}" height="${HEIGHT}" viewBox="0 0 ${width} ${HEIGHT}" role="img" aria-label="${name} by ${unit}: ${series.map((s) => `${s.label} from ${value(s.points[0]?.[1])} to ${value(s.points[s.points.length - 1]?.[1])}`).join("; ")}.">
    ${ticks.map((t) => html`<line class="grid" x1="${LEFT + 14}" x2="${width - RIGHT}" y1="${y(t)}" y2="${y(t)}"></line><text x="${LEFT + 6}" y="${y(t)}" dy="4" text-anchor="end">${value(t)}</text>`)}
    ${across.map((t) => html`<text x="${x(t)}" y="${HEIGHT - 6}" text-anchor="middle">${value(t)}</text>`)}
    ${series.map((s) => html`<polyline class="line c${s.index % 8}" points="${s.points.map(([p, v]) => `${x(p)},${y(v)}`).join(" ")}"><title>${s.label}</title></polyline>`)}
  </svg>${series.length > 1 ? html`<p class="soft">${series.map((s) => html`<span class="legend c${s.index % 8}">● ${s.label}</span> `)}</p>` : ""}`;
}

const least = (numbers) => numbers.reduce((a, b) => Math.min(a, b), Infinity);

function ticksBetween(low, high) {
  const rough = (high - low || Math.abs(high) || 1) / 4, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((s) => s * power >= rough) * power;
  const from = Math.floor(low / step + 1e-9), to = Math.max(from + 1, Math.ceil(high / step - 1e-9));
  return Array.from({ length: to - from + 1 }, (_, i) => (from + i) * step);
}
