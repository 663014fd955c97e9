// The loop itself: ten stages round a ring, the one it is in alight.

import { STAGES, type Stage } from "./stage";

const SIZE = 420, MIDDLE = SIZE / 2, RADIUS = 148;
const HREFS: Record<Stage, (name: string) => string> = {
  Data: () => "#/data", Validate: () => "#/data", Features: () => "#/features", Train: () => "#/runs", Evaluate: (n) => `#/models/${n}`, Gate: (n) => `#/models/${n}`,
  Deploy: (n) => `#/deployments/${n}`, Predict: (n) => `#/deployments/${n}`, Monitor: (n) => `#/monitoring/${n}`, Decide: (n) => `#/loops/${n}`,
};

const place = (index: number, radius: number): [number, number] => {
  const angle = (index / STAGES.length) * 2 * Math.PI - Math.PI / 2;
  return [MIDDLE + radius * Math.cos(angle), MIDDLE + radius * Math.sin(angle)];
};

export function Circle({ name, stage, isMoving, notes, title, under }: {
  name: string; stage: Stage; isMoving: boolean; notes: Partial<Record<Stage, string>>; title: string; under: string;
}) {
  const active = STAGES.indexOf(stage);
  return (
    <svg className={`circle ${isMoving ? "moving" : ""}`} viewBox={`-72 -14 ${SIZE + 144} ${SIZE + 34}`} role="group" aria-label={`The loop is at the stage ${stage}: ${title}, ${under}.`}>
      <circle cx={MIDDLE} cy={MIDDLE} r={RADIUS} className="ring" />
      <circle cx={MIDDLE} cy={MIDDLE} r={RADIUS} className="flow" />
      {STAGES.map((one, index) => {
        const [x, y] = place(index, RADIUS);
        const [tx, ty] = place(index, RADIUS + 26);
        const side = Math.abs(tx - MIDDLE) < 20 ? "middle" : tx > MIDDLE ? "start" : "end";
        const lift = side === "middle" ? (ty < MIDDLE ? (notes[one] ? -18 : -4) : 8) : -2;
        return (
          <a key={one} href={HREFS[one](encodeURIComponent(name))} className={`stage ${index === active ? "active" : ""}`} aria-current={index === active ? "step" : undefined}>
            {index === active ? <circle cx={x} cy={y} r={19} className="halo" /> : null}
            <circle cx={x} cy={y} r={index === active ? 12 : 9} className="dot" />
            <text x={tx} y={ty + lift} textAnchor={side} className="stage-name">{one}</text>
            {" "}
            {notes[one] ? <text x={tx} y={ty + lift + 18} textAnchor={side} className="stage-note">{notes[one]}</text> : null}
          </a>
        );
      })}
      <text x={MIDDLE} y={MIDDLE - 4} textAnchor="middle" className="circle-title">{title}</text>
      <text x={MIDDLE} y={MIDDLE + 22} textAnchor="middle" className="circle-under">{under}</text>
    </svg>
  );
}
