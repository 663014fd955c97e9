import { SegmentedControl, Text } from "@mantine/core";
import { useView } from "../../address";
import { askBlob, useAsked } from "../../api/client";
import type { Evaluation as Evaluated, MetricValue, ModelVersion } from "../../api/types";
import { extent, linear } from "../../charts/scale";
import { count, percent, plural, value } from "../../format";
import { Empty, Panel, State } from "../../parts/basics";
import { Table } from "../../parts/table";

export interface ReferenceShown {
  calibration: { rows: number[]; positives: number[]; scores: number[] } | null;
}

export function Evaluation({ of }: { of: ModelVersion }) {
  const { evaluation, reference } = of;
  const kept = useAsked(askBlob<ReferenceShown>(reference)).data;
  if (!evaluation) return <Panel><Empty command={`flyball models list ${of.model}`}>This version was not scored on rows that it had not learned from.</Empty></Panel>;
  return (
    <div className="grid">
      <div className="c7 stack">
        <Panel title="Scores on held-out rows" aside={`${plural(evaluation.n, "row")}${evaluation.positive_rate === null ? "" : `, ${percent(evaluation.positive_rate, 1)} positive`}`}><Intervals of={evaluation.metrics.map((m) => ({ name: m.name, metric: m }))} /></Panel>
        {evaluation.slices.length ? <Slices of={evaluation} /> : null}
      </div>
      <div className="c5 stack">
        {evaluation.importance ? <Panel title="What the columns are worth" aside={`growth of ${evaluation.importance.metric} when shuffled`}><Importance of={evaluation.importance.columns} /></Panel> : null}
        {kept?.calibration ? <Panel title="Calibration" aside="how often each score came true"><Calibration of={kept.calibration} /></Panel> : null}
        <Panel title="Weak slices" aside="found on one half, confirmed on the other">
          <Table rows={evaluation.weak_slices} id={(s) => JSON.stringify(s.where)} empty={<Text size="sm" c="dimmed">None was found.</Text>} columns={[
            { title: "where", wide: true, cell: (s) => Object.entries(s.where).map(([k, v]) => `${k} ${v}`).join(" and ") }, { title: "rows", number: true, cell: (s) => count(s.n) }, { title: "loss", number: true, cell: (s) => value(s.loss) }, { title: "elsewhere", number: true, cell: (s) => value(s.rest) }, { title: "share of loss", number: true, cell: (s) => percent(s.share_of_loss) },
          ]} />
        </Panel>
        {evaluation.fairness.length ? <Panel title="Fairness"><Table rows={evaluation.fairness} id={(f) => `${f.measure} ${f.column} ${f.rate}`} columns={[{ title: "measure", cell: (f) => f.measure.replaceAll("_", " ") }, { title: "column", cell: (f) => f.column }, { title: "value", number: true, cell: (f) => value(f.value) }, { title: "", cell: (f) => <State of={f.is_unfair ? "failed" : "passed"}>{f.is_unfair ? "unfair" : "fair"}</State> }]} /></Panel> : null}
      </div>
    </div>
  );
}

export function Intervals({ of, range }: { of: { name: string; metric: MetricValue }[]; range?: [number, number] }) {
  const at = linear(range ?? [0, Math.max(1, extent(of.map((one) => one.metric.high))[1])], [0, 100]);
  const clip = (v: number) => Math.max(0, Math.min(100, at(v)));
  return (
    <div className="intervals">
      {of.map(({ name, metric }) => metric.value === null ? null : (
        <div key={name} className="interval"><span className="interval-name" title={name}>{name}</span>
          <span className="interval-track">{metric.low !== null && metric.high !== null ? <i className="interval-span" style={{ left: `${clip(metric.low)}%`, width: `${Math.max(0.5, clip(metric.high) - clip(metric.low))}%` }} /> : null}<i className="interval-dot" style={{ left: `${clip(metric.value)}%` }} /></span>
          <span className="n"><strong>{value(metric.value)}</strong> <span className="soft">{metric.low === null ? "" : `${value(metric.low)}–${value(metric.high)}`}</span></span></div>
      ))}
    </div>
  );
}

function Slices({ of }: { of: Evaluated }) {
  const columns = [...new Set(of.slices.map((s) => s.column))];
  const [view, setView] = useView({ slice: columns[0] ?? "", by: of.primary });
  const shown = of.slices.filter((s) => s.column === view.slice).flatMap((s) => {
    const metric = s.metrics.find((m) => m.name === view.by);
    return metric ? [{ name: `${s.value} (${count(s.n)})`, metric }] : [];
  });
  const all = extent(shown.flatMap((s) => [s.metric.low, s.metric.high, s.metric.value]));
  return (
    <Panel title={`${view.by} by ${view.slice}`} aside={<>{columns.length > 1 ? <SegmentedControl data={columns} value={view.slice} onChange={(slice) => setView({ slice })} /> : null}<SegmentedControl data={of.metrics.slice(0, 4).map((m) => m.name)} value={view.by} onChange={(by) => setView({ by })} /></>}>
      <Intervals of={shown} range={[Math.max(0, all[0] - 0.05 * (all[1] - all[0])), all[1]]} />
    </Panel>
  );
}

function Importance({ of }: { of: { column: string; value: number; low: number; high: number }[] }) {
  const most = Math.max(...of.map((c) => c.value), 1e-12);
  return <div className="bars">{of.slice(0, 14).map((c) => <div key={c.column} className="bar-row"><span className="bar-name" title={c.column}>{c.column}</span><span className="bar-track"><i style={{ width: `${Math.max(0, (100 * c.value) / most)}%`, background: c.low > 0 ? "var(--accent)" : "var(--soft)" }} /></span><span className="n" title={`${value(c.low)} to ${value(c.high)}`}>{value(c.value)}</span></div>)}</div>;
}

function Calibration({ of }: { of: { rows: number[]; positives: number[]; scores: number[] } }) {
  const size = 240, at = linear([0, 1], [28, size - 8]), up = linear([0, 1], [size - 24, 8]);
  const most = Math.max(...of.rows);
  return (
    <svg className="chart" width={size} height={size} role="img" aria-label="Share of positives by score">
      <line x1={at(0)} y1={up(0)} x2={at(1)} y2={up(1)} className="axis" strokeDasharray="4 4" />
      {[0, 0.5, 1].map((t) => <g key={t}><text x={at(t)} y={size - 7} textAnchor="middle">{t}</text><text x={22} y={up(t) + 4} textAnchor="end">{t}</text></g>)}
      {of.rows.map((n, i) => (n ? <circle key={i} cx={at(of.scores[i] ?? 0)} cy={up((of.positives[i] ?? 0) / n)} r={2.5 + 4 * Math.sqrt(n / most)} fill="var(--accent)" opacity={0.75}><title>{`score ${value(of.scores[i])}: ${of.positives[i]} of ${n} were positive`}</title></circle> : null))}
    </svg>
  );
}
