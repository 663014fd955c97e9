// Parallel coordinates: a line for each run through its params and metrics. Dragging along an axis keeps those that pass there.

import { useMemo, useRef, useState } from "react";
import { plain, value } from "../format";
import { extent, linear } from "./scale";
import { useWidth } from "./size";

export interface Axis {
  key: string;
  values: (number | string | null)[];
}

const HEIGHT = 320, TOP = 30, BOTTOM = 24, SIDE = 46;

export function Parallel({ axes, colours, labels }: { axes: Axis[]; colours: string[]; labels: string[] }) {
  const [watch, width] = useWidth();
  const [kept, setKept] = useState<Record<string, [number, number]>>({});
  const drag = useRef<{ key: string; from: number } | null>(null);
  const wide = Math.max(width, axes.length * 92);
  const x = (i: number) => SIDE + (i / Math.max(1, axes.length - 1)) * (wide - 2 * SIDE);
  const scales = useMemo(() => axes.map((axis) => {
    const isNumeric = axis.values.every((v) => v === null || typeof v === "number");
    const levels = isNumeric ? [] : [...new Set(axis.values.map((v) => plain(v)))].sort();
    const range = isNumeric ? extent(axis.values as (number | null)[]) : ([0, Math.max(1, levels.length - 1)] as [number, number]);
    const scale = linear(range, [HEIGHT - BOTTOM, TOP]);
    return { levels, range, at: (v: number | string | null) => (v === null ? null : scale(isNumeric ? (v as number) : levels.indexOf(plain(v)))) };
  }), [axes]);
  const isKept = (run: number) => axes.every((axis, i) => {
    const range = kept[axis.key];
    const at = scales[i]!.at(axis.values[run] ?? null);
    return !range || (at !== null && at >= Math.min(...range) && at <= Math.max(...range));
  });
  const height = (event: React.PointerEvent<SVGElement>) => event.clientY - event.currentTarget.ownerSVGElement!.getBoundingClientRect().top;
  return (
    <div ref={watch} className="scroll-x">
      {width ? (
        <svg className="chart parallel" width={wide} height={HEIGHT} role="img" aria-label={`Parallel coordinates of ${labels.length} runs over ${axes.map((a) => a.key).join(", ")}`}>
          {labels.map((label, run) => {
            const points = axes.map((axis, i) => [x(i), scales[i]!.at(axis.values[run] ?? null)] as const).filter((p) => p[1] !== null);
            return <path key={run} d={points.map(([px, py], i) => `${i ? "L" : "M"}${px.toFixed(1)},${py!.toFixed(1)}`).join("")} fill="none" stroke={colours[run]} strokeWidth={1.4} opacity={isKept(run) ? 0.8 : 0.06}><title>{label}</title></path>;
          })}
          {axes.map((axis, i) => {
            const { levels, range } = scales[i]!;
            const held = kept[axis.key];
            return (
              <g key={axis.key} transform={`translate(${x(i)},0)`}>
                <line className="axis" y1={TOP} y2={HEIGHT - BOTTOM} />
                <text y={14} textAnchor={i === 0 ? "start" : i === axes.length - 1 ? "end" : "middle"} x={i === 0 ? -30 : i === axes.length - 1 ? 30 : 0} className="axis-name">{axis.key.replace(/^(metrics|params)\./, "")}</text>
                {levels.length ? levels.slice(0, 12).map((level) => <text key={level} x={5} y={(scales[i]!.at(level) ?? 0) + 4}>{level.slice(0, 14)}</text>)
                  : <><text x={5} y={TOP + 4}>{value(range[1])}</text><text x={5} y={HEIGHT - BOTTOM + 12}>{value(range[0])}</text></>}
                {held ? <rect x={-6} width={12} y={Math.min(...held)} height={Math.abs(held[1] - held[0])} className="brush" /> : null}
                <rect x={-12} width={24} y={TOP - 6} height={HEIGHT - TOP - BOTTOM + 12} fill="transparent" className="grab"
                  onPointerDown={(e) => {
                    e.currentTarget.setPointerCapture(e.pointerId);
                    drag.current = { key: axis.key, from: height(e) };
                    setKept(({ [axis.key]: _, ...rest }) => rest);
                  }}
                  onPointerMove={(e) => {
                    if (drag.current?.key !== axis.key) return;
                    const range: [number, number] = [drag.current.from, height(e)];
                    if (Math.abs(range[0] - range[1]) > 3) setKept((now) => ({ ...now, [axis.key]: range }));
                  }}
                  onPointerUp={() => {
                    drag.current = null;
                  }} />
              </g>
            );
          })}
        </svg>
      ) : null}
    </div>
  );
}
