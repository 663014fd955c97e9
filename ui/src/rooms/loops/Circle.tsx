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
    <svg className={`circle ${isMoving ? "moving" : ""}`} viewBox={`-70 -8 ${SIZE + 140} ${SIZE + 16}`} role="group" aria-label={`The loop is at the stage ${stage}: ${title}, ${under}.`}>
      <circle cx={MIDDLE} cy={MIDDLE} r={RADIUS} className="ring" />
      <circle cx={MIDDLE} cy={MIDDLE} r={RADIUS} className="flow" />
      {STAGES.map((one, index) => {
        const [x, y] = place(index, RADIUS);
        const [tx, ty] = place(index, RADIUS + 25);
        const side = Math.abs(tx - MIDDLE) < 20 ? "middle" : tx > MIDDLE ? "start" : "end";
        const lift = side === "middle" ? (ty < MIDDLE ? -14 : 6) : -3;
        return (
          <a key={one} href={HREFS[one](encodeURIComponent(name))} className={`stage ${index === active ? "active" : ""}`} aria-current={index === active ? "step" : undefined} aria-label={`${one}${notes[one] ? `: ${notes[one]}` : ""}`}>
            {index === active ? <circle cx={x} cy={y} r={19} className="halo" /> : null}
            <circle cx={x} cy={y} r={index === active ? 12 : 9} className="dot" />
            <text x={tx} y={ty + lift} textAnchor={side} className="stage-name">{one}</text>
            {notes[one] ? <text x={tx} y={ty + lift + 15} textAnchor={side} className="stage-note">{notes[one]}</text> : null}
          </a>
        );
      })}
      <text x={MIDDLE} y={MIDDLE - 8} textAnchor="middle" className="circle-title">{title}</text>
      <text x={MIDDLE} y={MIDDLE + 18} textAnchor="middle" className="circle-under">{under}</text>
    </svg>
  );
}
