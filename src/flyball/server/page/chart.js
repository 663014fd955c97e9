// One line over time, with its interval and with marks for what was decided.

import { html, value } from "./parts.js";

const WIDTH = 1000, HEIGHT = 220, LEFT = 48, BOTTOM = 24;

export function chart(points, marks) {
  const lows = points.map((p) => p.low ?? p.value), highs = points.map((p) => p.high ?? p.value);
  const [low, high] = [Math.min(...lows), Math.max(...highs)];
  const [first, last] = [points[0].at, points[points.length - 1].at];
  const x = (at) => (LEFT + ((at - first) / (last - first || 1)) * (WIDTH - LEFT - 10)).toFixed(1);
  const y = (v) => (10 + (1 - (v - low) / (high - low || 1)) * (HEIGHT - BOTTOM - 20)).toFixed(1);
  const ticks = [0, 0.5, 1].map((share) => low + share * (high - low));
  const band = [...points.map((p, i) => `${x(p.at)},${y(highs[i])}`), ...points.map((p, i) => `${x(p.at)},${y(lows[i])}`).reverse()].join(" ");
  const inside = marks.filter((m) => m.at >= first && m.at <= last);
  const words = `From ${day(first)} to ${day(last)}, between ${value(low)} and ${value(high)}.`;
  return html`<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${words}">
    ${ticks.map((t) => html`<line class="grid" x1="${LEFT}" x2="${WIDTH - 10}" y1="${y(t)}" y2="${y(t)}"></line><text x="0" y="${y(t)}">${value(t)}</text>`)}
    ${inside.map((m) => html`<line class="mark ${m.kind.split(" ")[0]}" x1="${x(m.at)}" x2="${x(m.at)}" y1="10" y2="${HEIGHT - BOTTOM}"><title>${m.kind}: ${m.text}</title></line>`)}
    <polygon class="band" points="${band}"></polygon>
    <polyline class="line" points="${points.map((p) => `${x(p.at)},${y(p.value)}`).join(" ")}"></polyline>
    ${points.map((p) => html`<circle cx="${x(p.at)}" cy="${y(p.value)}" r="3"><title>${day(p.at)}: ${value(p.value)}</title></circle>`)}
    <text x="${LEFT}" y="${HEIGHT - 4}">${day(first)}</text><text x="${WIDTH - 10}" y="${HEIGHT - 4}" text-anchor="end">${day(last)}</text>
  </svg><p class="soft">Lines across: <span class="good">promoted</span>, <span class="warn">refused</span>, <span class="bad">rolled back</span>. The band is the 95 % interval.</p>`;
}

const day = (at) => new Date(at).toISOString().slice(0, 10);
