// How the predictions of each window were split over the versions.

import { href } from "../../address";
import type { MonitoringWindow } from "../../api/types";
import { useWidth } from "../../charts/size";
import { count, day, percent } from "../../format";
import { Empty } from "../../parts/basics";
import { colourOf } from "../../theme";

const HEIGHT = 150, BOTTOM = 22;

export function Split({ windows }: { windows: MonitoringWindow[] }) {
  const [watch, width] = useWidth();
  const shown = [...windows].reverse();
  if (!shown.length) return <Empty>No window has closed yet.</Empty>;
  const versions = [...new Set(shown.flatMap((w) => Object.keys(w.versions)))].sort((a, b) => Number(a) - Number(b));
  const most = Math.max(...shown.map((w) => w.predictions), 1);
  const step = width / shown.length;
  return (
    <div ref={watch}>
      {width ? (
        <svg className="chart" width={width} height={HEIGHT} role="group" aria-label={`Predictions of ${shown.length} windows by version`}>
          {shown.map((w, i) => {
            let top = HEIGHT - BOTTOM;
            return (
              <a key={w.start} href={href(["monitoring", w.deployment], { window: w.start })} aria-label={`${day(w.start)}: ${count(w.predictions)} predictions`}>
                {versions.map((version, v) => {
                  const tall = ((w.versions[version] ?? 0) / most) * (HEIGHT - BOTTOM - 6);
                  top -= tall;
                  return tall ? <rect key={version} x={i * step + 1} width={Math.max(1, step - 3)} y={top} height={tall} fill={colourOf(v)} rx={2}><title>{`${day(w.start)}: version ${version}, ${count(w.versions[version] ?? 0)} (${percent((w.versions[version] ?? 0) / w.predictions)})`}</title></rect> : null;
                })}
                {i % Math.max(1, Math.ceil(78 / step)) === 0 ? <text x={i * step + 2} y={HEIGHT - 6}>{day(w.start)}</text> : null}
              </a>
            );
          })}
        </svg>
      ) : null}
      <div className="legend">{versions.map((version, v) => <span key={version}><i className="swatch" style={{ background: colourOf(v) }} />version {version}</span>)}</div>
    </div>
  );
}
