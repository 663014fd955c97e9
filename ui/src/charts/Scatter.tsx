import { useState } from "react";
import { value } from "../format";
import { extent, linear, ticks } from "./scale";
import { useWidth } from "./size";

export interface Dot {
  x: number;
  y: number;
  colour: string;
  label: string;
  /** Where it leads; nowhere if it is empty. */
  to: string;
}

const HEIGHT = 320, LEFT = 60, RIGHT = 16, TOP = 12, BOTTOM = 40;

export function Scatter({ dots, xName, yName }: { dots: Dot[]; xName: string; yName: string }) {
  const [watch, width] = useWidth();
  const [over, setOver] = useState<Dot | null>(null);
  const across = ticks(...extent(dots.map((d) => d.x)), 5), up = ticks(...extent(dots.map((d) => d.y)), 4);
  const x = linear([across[0]!, across[across.length - 1]!], [LEFT, Math.max(LEFT + 1, width - RIGHT)]), y = linear([up[0]!, up[up.length - 1]!], [HEIGHT - BOTTOM, TOP]);
  return (
    <div ref={watch} className="timeline">
      {width ? (
        <svg className="chart" width={width} height={HEIGHT} role="group" aria-label={`${yName} against ${xName} of ${dots.length}`}>
          {up.map((t) => <g key={t}><line className="rule" x1={LEFT} x2={width - RIGHT} y1={y(t)} y2={y(t)} /><text x={LEFT - 8} y={y(t)} dy={4} textAnchor="end">{value(t)}</text></g>)}
          {across.map((t) => <text key={t} x={x(t)} y={HEIGHT - BOTTOM + 17} textAnchor="middle">{value(t)}</text>)}
          <text x={(LEFT + width) / 2} y={HEIGHT - 5} textAnchor="middle">{xName}</text><text x={4} y={TOP - 1}>{yName}</text>
          {dots.map((dot, i) => {
            const seen = <circle cx={x(dot.x)} cy={y(dot.y)} r={5} fill={dot.colour} opacity={0.85} onMouseEnter={() => setOver(dot)} onMouseLeave={() => setOver(null)} />;
            return dot.to ? <a key={i} href={dot.to} aria-label={`${dot.label}: ${value(dot.x)}, ${value(dot.y)}`}>{seen}</a> : <g key={i}>{seen}</g>;
          })}
        </svg>
      ) : null}
      {over ? <div className="tip" style={{ left: Math.min(x(over.x) + 10, width - 200), top: y(over.y) + 10 }}><strong>{over.label}</strong><div>{xName} {value(over.x)}</div><div>{yName} {value(over.y)}</div></div> : null}
    </div>
  );
}
