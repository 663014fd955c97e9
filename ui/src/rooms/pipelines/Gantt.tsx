// When each step ran: one bar a step, on one axis of time.

import { linear } from "../../charts/scale";
import { useWidth } from "../../charts/size";
import { lasted } from "../../format";
import { spansOf, type StepShown } from "./steps";

const ROW = 24, TOP = 8;
const COLOUR: Record<string, string> = { finished: "var(--good)", running: "var(--lively)", failed: "var(--bad)" };

export function Gantt({ steps, now }: { steps: StepShown[]; now: number }) {
  const [watch, width] = useWidth();
  const spans = spansOf(steps, now);
  const LEFT = width < 520 ? 96 : 150;
  const end = Math.max(...spans.map((span) => span.end), 1e-3);
  const x = linear([0, end], [LEFT, Math.max(LEFT + 1, width - 64)]);
  const height = steps.length * ROW + TOP + 22;
  return (
    <div ref={watch}>
      {width ? (
        <svg className="chart" width={width} height={height} role="img" aria-label={`When the steps ran: ${spans.map((span) => `${span.name} from ${lasted(span.start)} for ${lasted(span.end - span.start)}`).join("; ")}`}>
          {(width < 520 ? [0, 1] : [0, 0.25, 0.5, 0.75, 1]).map((part) => <g key={part}><line className="rule" x1={x(end * part)} x2={x(end * part)} y1={TOP} y2={height - 18} /><text x={x(end * part)} y={height - 4} textAnchor="middle">{part ? lasted(end * part) : "0"}</text></g>)}
          {spans.map((span, i) => (
            <g key={span.name}>
              <text x={LEFT - 10} y={TOP + i * ROW + 15} textAnchor="end">{span.name.length > LEFT / 7 ? `${span.name.slice(0, LEFT / 7 - 1)}…` : span.name}</text>
              <rect x={x(span.start)} y={TOP + i * ROW + 4} width={Math.max(3, x(span.end) - x(span.start))} height={ROW - 9} rx={4} fill={span.isHit ? "var(--line)" : COLOUR[span.state] ?? "var(--warn)"} opacity={0.85}><title>{`${span.name}: ${span.isHit ? "from the cache" : lasted(span.end - span.start)}`}</title></rect>
            </g>
          ))}
        </svg>
      ) : null}
    </div>
  );
}
