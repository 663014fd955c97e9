// Drift of every column in every window at once.

import { useState } from "react";
import type { MonitoringWindow } from "../../api/types";
import { useWidth } from "../../charts/size";
import { day, value } from "../../format";
import { Empty } from "../../parts/basics";

const ROW = 22, BOTTOM = 24;

export function Heat({ windows, chosen, onChoose }: { windows: MonitoringWindow[]; chosen: { column: string; start: string }; onChoose: (column: string, start: string) => void }) {
  const [watch, width] = useWidth();
  const [over, setOver] = useState<{ x: number; y: number; text: string } | null>(null);
  const shown = [...windows].reverse().filter((w) => w.drift);
  const worst = new Map<string, number>();
  for (const w of shown) for (const c of w.drift!.columns) worst.set(c.column, Math.max(worst.get(c.column) ?? 0, c.drifted ? 10 + c.excess : c.excess));
  const columns = [...worst].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).map(([name]) => name).slice(0, 60);
  if (!columns.length) return <Empty>No window was compared with a reference yet.</Empty>;
  const left = width < 600 ? 100 : 150, step = (width - left) / shown.length, height = columns.length * ROW + BOTTOM;
  return (
    <div ref={watch} className="timeline" onMouseLeave={() => setOver(null)}>
      {width ? (
        <svg className="chart" width={width} height={height} role="group" aria-label={`Drift of ${columns.length} columns in ${shown.length} windows`}>
          {columns.map((column, row) => (
            <g key={column}>
              <text x={left - 8} y={row * ROW + 15} textAnchor="end" className={column === chosen.column ? "chosen" : ""}>{column.length > left / 8 ? `${column.slice(0, Math.floor(left / 8))}…` : column}</text>
              {shown.map((w, i) => {
                const cell = w.drift!.columns.find((c) => c.column === column);
                const strength = cell ? Math.min(1, cell.excess / Math.max(0.02, 4 * cell.threshold)) : 0;
                const isChosen = column === chosen.column && w.start === chosen.start;
                return (
                  <rect key={w.start} x={left + i * step + 1} y={row * ROW + 1} width={Math.max(2, step - 2)} height={ROW - 3} rx={3} className={`heat ${isChosen ? "chosen" : ""}`} tabIndex={isChosen ? 0 : -1} role="button"
                    aria-label={`${column}, ${day(w.start)}: ${cell?.drifted ? "drifted" : "no drift"}`} fill={cell ? `color-mix(in srgb, var(--bad) ${Math.round(strength * 85)}%, var(--faint))` : "none"} stroke={cell?.drifted ? "var(--bad)" : "none"} strokeWidth={1.5}
                    onClick={() => onChoose(column, w.start)} onKeyDown={(event) => {
                      const to = { ArrowLeft: [row, i - 1], ArrowRight: [row, i + 1], ArrowUp: [row - 1, i], ArrowDown: [row + 1, i] }[event.key];
                      const [r, c] = to ?? [-1, -1];
                      if (r! < 0 || !columns[r!] || !shown[c!]) return;
                      event.preventDefault();
                      onChoose(columns[r!]!, shown[c!]!.start);
                    }}
                    onMouseEnter={() => setOver({ x: left + i * step, y: (row + 1) * ROW, text: `${column}, ${day(w.start)}\n${cell ? `${value(cell.excess)} beyond chance, q ${value(cell.q_value)}${cell.cause ? `\n${cell.cause}` : ""}` : "not compared"}` })} />
                );
              })}
            </g>
          ))}
          {shown.map((w, i) => (i % Math.max(1, Math.ceil(80 / step)) === 0 ? <text key={w.start} x={left + i * step + 2} y={height - 6}>{day(w.start)}</text> : null))}
        </svg>
      ) : null}
      {over ? <div className="tip lines-of-text" style={{ left: Math.min(over.x + 10, Math.max(0, width - 280)), top: over.y + 4 }}>{over.text}</div> : null}
    </div>
  );
}
