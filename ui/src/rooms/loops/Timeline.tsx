// Quality over time with all that was done about it underneath, on one axis.

import { useState } from "react";
import { extent, linear, ticks } from "../../charts/scale";
import { useWidth } from "../../charts/size";
import { value } from "../../format";
import { LANES, type Mark, type Point } from "./timeline";

const LEFT = 88, RIGHT = 14, TOP = 10, CHART = 190, LANE = 22;
const date = (at: number): string => new Date(at).toISOString().slice(0, 10);

export function Timeline({ metric, points, marks }: { metric: string; points: Point[]; marks: Mark[] }) {
  const [watch, width] = useWidth();
  const [over, setOver] = useState<{ x: number; y: number; title: string; text: string } | null>(null);
  const times = [...points.flatMap((p) => [p.start, p.at]), ...marks.map((m) => m.at)];
  const [first, last] = extent(times);
  const scale = ticks(...extent(points.flatMap((p) => [p.value, p.low, p.high, p.estimate])), 4);
  const [low, high] = [scale[0] ?? 0, scale[scale.length - 1] ?? 1];
  const lanes = LANES.filter(([kind]) => marks.some((m) => m.kind === kind));
  const bottom = TOP + CHART, height = bottom + lanes.length * LANE + 26;
  const left = width < 600 ? 74 : LEFT;
  const x = linear([first, last], [left, Math.max(left + 1, width - RIGHT)]), y = linear([low, high], [bottom, TOP]);
  const known = points.filter((p) => p.value !== null);
  const guessed = points.filter((p) => p.estimate !== null);
  const path = (given: Point[], of: (p: Point) => number) => given.map((p, i) => `${i ? "L" : "M"}${x(p.at).toFixed(1)},${y(of(p)).toFixed(1)}`).join("");
  const band = [...known.map((p) => `${x(p.at).toFixed(1)},${y(p.high ?? p.value!).toFixed(1)}`), ...known.map((p) => `${x(p.at).toFixed(1)},${y(p.low ?? p.value!).toFixed(1)}`).reverse()].join(" ");
  const many = Math.max(2, Math.min(7, Math.floor((width - left) / 105)));
  const dates = Array.from({ length: many }, (_, i) => first + (i / (many - 1)) * (last - first));
  const summary = known.length ? `${metric} from ${date(first)} to ${date(last)}: lowest ${value(Math.min(...known.map((p) => p.value!)))}, now ${value(known[known.length - 1]!.value)}; ${marks.length} marks.` : "";
  return (
    <div ref={watch} className="timeline" onMouseLeave={() => setOver(null)}>
      {width < 50 ? null : (
        <svg className="chart" width={width} height={height} role="img" aria-label={summary}>
          {scale.map((t) => <g key={t}><line className="rule" x1={left} x2={width - RIGHT} y1={y(t)} y2={y(t)} /><text x={left - 8} y={y(t)} dy={4} textAnchor="end">{value(t)}</text></g>)}
          {marks.filter((m) => m.kind === "drift").map((m, i) => <rect key={i} x={x(m.at)} width={Math.max(2, x(Math.min(last, m.until ?? m.at)) - x(m.at))} y={TOP} height={CHART} className="drift-shade" />)}
          {marks.filter((m) => m.kind === "release" || m.kind === "rollback").map((m, i) => <line key={i} x1={x(m.at)} x2={x(m.at)} y1={TOP} y2={bottom} className={`mark-line ${m.kind}`} />)}
          <polygon points={band} className="band" />
          <path d={path(guessed, (p) => p.estimate!)} className="estimate" />
          <path d={path(known, (p) => p.value!)} className="quality" />
          {known.map((p) => <circle key={p.at} cx={x(p.at)} cy={y(p.value!)} r={3.5} className="quality-dot" />)}
          {points.map((p) => (
            <rect key={p.at} x={x(p.start)} y={TOP} width={Math.max(4, x(p.at) - x(p.start))} height={CHART} fill="transparent"
              onMouseEnter={() => setOver({ x: x(p.at), y: p.value === null ? TOP : y(p.value), title: `${date(p.start)} to ${date(p.at)}`, text: p.text })} />
          ))}
          {lanes.map(([kind, name, colour], lane) => {
            const at = bottom + lane * LANE + LANE / 2 + 6;
            return (
              <g key={kind}>
                <line className="rule" x1={left} x2={width - RIGHT} y1={at} y2={at} />
                <text x={left - 8} y={at} dy={4} textAnchor="end">{name}</text>
                {marks.filter((m) => m.kind === kind).map((m, i) => {
                  const show = () => setOver({ x: x(m.at), y: at, title: `${date(m.at)}, ${name}`, text: m.text });
                  return kind === "drift"
                    ? <rect key={i} x={x(m.at)} y={at - 5} width={Math.max(5, x(Math.min(last, m.until ?? m.at)) - x(m.at) - 1)} height={10} rx={3} fill={colour} onMouseEnter={show} />
                    : <circle key={i} cx={x(m.at)} cy={at} r={5.5} fill={colour} stroke="var(--paper)" strokeWidth={1.5} onMouseEnter={show} />;
                })}
              </g>
            );
          })}
          {dates.map((at, i) => <text key={i} x={x(at)} y={height - 5} textAnchor={i === 0 ? "start" : i === dates.length - 1 ? "end" : "middle"}>{date(at)}</text>)}
        </svg>
      )}
      {over ? <div className="tip" style={{ left: Math.min(over.x + 12, Math.max(0, width - 300)), top: over.y + 14 }}><strong>{over.title}</strong><div className="lines-of-text">{over.text}</div></div> : null}
    </div>
  );
}
