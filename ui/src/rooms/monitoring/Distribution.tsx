import type { Profile } from "../../api/types";
import { useWidth } from "../../charts/size";
import { percent } from "../../format";
import { Empty } from "../../parts/basics";
import { barsOf, type Reference } from "./bins";

const HEIGHT = 220, TOP = 8, BOTTOM = 46;

/** Quantile bins of the reference hold the same share each, so whatever is uneven now has moved. */
export function Distribution({ column, reference, now }: { column: string; reference: Reference; now: Profile }) {
  const [watch, width] = useWidth();
  const bars = barsOf(column, reference, now);
  if (!bars.length) return <Empty>Nothing is kept of this column.</Empty>;
  const most = Math.max(...bars.flatMap((b) => [b.before, b.now]), 1e-9);
  const step = width / bars.length, tall = (share: number) => (share / most) * (HEIGHT - TOP - BOTTOM);
  const every = Math.max(1, Math.ceil(62 / step));
  return (
    <div ref={watch}>
      {width ? (
        <svg className="chart" width={width} height={HEIGHT} role="img" aria-label={`${column}: ${bars.slice(0, 8).map((b) => `${b.label} ${percent(b.before)} before, ${percent(b.now)} now`).join("; ")}`}>
          {bars.map((bar, i) => (
            <g key={bar.label}>
              <rect x={i * step + 1} width={Math.max(1, step / 2 - 1.5)} y={HEIGHT - BOTTOM - tall(bar.before)} height={tall(bar.before)} fill="var(--soft)" opacity={0.45} rx={1.5} />
              <rect x={i * step + step / 2} width={Math.max(1, step / 2 - 1.5)} y={HEIGHT - BOTTOM - tall(bar.now)} height={tall(bar.now)} fill="var(--accent)" rx={1.5} />
              <rect x={i * step} width={step} y={0} height={HEIGHT - BOTTOM} fill="transparent"><title>{`${bar.label}: ${percent(bar.before, 1)} before, ${percent(bar.now, 1)} now`}</title></rect>
              {i % every === 0 ? <text transform={`translate(${i * step + 4},${HEIGHT - BOTTOM + 14}) rotate(18)`}>{(bar.from === null ? bar.label : bar.label.split(" to ")[0]!).slice(0, 10)}</text> : null}
            </g>
          ))}
        </svg>
      ) : null}
      <div className="legend"><span><i className="swatch" style={{ background: "var(--soft)", opacity: 0.5 }} />reference</span><span><i className="swatch" style={{ background: "var(--accent)" }} />this window</span></div>
    </div>
  );
}
