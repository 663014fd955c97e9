import { Button, Checkbox } from "@mantine/core";
import { useState } from "react";
import { href, useView } from "../../address";
import { ask, useAll } from "../../api/client";
import type { MetricValue, ModelVersion } from "../../api/types";
import { extent, linear, ticks } from "../../charts/scale";
import { useWidth } from "../../charts/size";
import { value } from "../../format";
import { Empty, Head, Link, Loaded, Panel, State, Twin, When } from "../../parts/basics";
import { Table } from "../../parts/table";
import { Talk } from "../../parts/talk";
import { Versus } from "./Versus";

export function ModelPage({ name }: { name: string }) {
  const from = useAll({ versions: ask("registry/list_versions", { model: name, limit: 300 }), aliases: ask("registry/alias_history", { model: name, limit: 20 }) });
  const [view, setView] = useView({ compare: "" });
  const [picked, setPicked] = useState<number[]>([]);
  return (
    <>
      <Head title={name} trail={[["Models", "#/models"]]} actions={picked.length > 1 ? <Button onClick={() => setView({ compare: picked.slice(0, 4).join(",") })}>Compare {picked.length} versions</Button> : null} />
      <Loaded from={from}>{({ versions, aliases }) => {
        const compared = view.compare.split(",").flatMap((v) => versions.find((one) => String(one.version) === v) ?? []);
        return versions.length ? (
          <div className="stack">
            {compared.length > 1 ? <Versus versions={compared} onClose={() => setView({ compare: "" })} /> : null}
            <Panel title="Held-out score of each version"><Scores versions={versions} /></Panel>
            <Panel title="Versions">
              <Table rows={versions} id={(v) => v.version} first={30} columns={[
                { title: "pick", cell: (v) => <Checkbox aria-label={`Pick version ${v.version}`} checked={picked.includes(v.version)} onChange={(e) => setPicked(e.currentTarget.checked ? [...picked, v.version] : picked.filter((one) => one !== v.version))} /> },
                { title: "version", number: true, cell: (v) => <Link to={href(["models", name, v.version])}>{v.version}</Link> }, { title: "stage", cell: (v) => <State of={v.stage} /> }, { title: "registered", cell: (v) => <When at={v.created} /> },
                { title: "held-out rows (95 %)", cell: (v) => (v.evaluation?.metrics ?? []).slice(0, 3).map((m) => <Measured key={m.name} of={m} />) },
                { title: "gates", wide: true, cell: (v) => <Gates of={v} /> }, { title: "aliases", cell: (v) => v.aliases.join(", ") || "–" },
              ]} />
              <Twin>{`flyball models list ${name}`}</Twin>
            </Panel>
            <Panel title="Where the aliases pointed">
              <Table rows={aliases} id={(a) => a.id} first={8} empty={<Empty>No alias was set.</Empty>} columns={[{ title: "when", cell: (a) => <When at={a.at} /> }, { title: "alias", cell: (a) => a.alias }, { title: "from", number: true, cell: (a) => a.previous ?? "–" }, { title: "to", number: true, cell: (a) => a.version ?? "–" }, { title: "because", cell: (a) => a.reason, wide: true }]} />
            </Panel>
            <Talk about={`models:/${name}`} />
          </div>
        ) : <Empty command="flyball run PIPELINE">There is no version of this model yet.</Empty>;
      }}</Loaded>
    </>
  );
}

export function Measured({ of }: { of: MetricValue }) {
  return <div className="measured"><span className="soft">{of.name}</span> <strong>{value(of.value)}</strong>{of.low === null ? null : <span className="soft"> {value(of.low)}–{value(of.high)}</span>}</div>;
}

function Gates({ of: { verdict } }: { of: ModelVersion }) {
  if (!verdict) return <span className="soft">not judged</span>;
  if (verdict.passed) return <State of="passed" />;
  return <>{verdict.decisions.filter((d) => !d.passed).map((d) => <div key={d.gate}><State of="refused">{d.gate}</State> <span className="soft">{d.reason}</span></div>)}</>;
}

const HEIGHT = 170, LEFT = 48, TOP = 12, BOTTOM = 26;

/** Each version's primary metric with its interval; those that were released are filled. */
function Scores({ versions }: { versions: ModelVersion[] }) {
  const [watch, width] = useWidth();
  const shown = [...versions].reverse().flatMap((v) => {
    const metric = v.evaluation?.metrics.find((m) => m.name === v.evaluation!.primary) ?? v.evaluation?.metrics[0];
    return metric && metric.value !== null ? [{ v, metric }] : [];
  });
  if (!shown.length) return <Empty>None of them was scored.</Empty>;
  const scale = ticks(...extent(shown.flatMap(({ metric }) => [metric.value, metric.low, metric.high])), 4);
  const y = linear([scale[0]!, scale[scale.length - 1]!], [HEIGHT - BOTTOM, TOP]);
  const step = (width - LEFT - 10) / shown.length;
  return (
    <div ref={watch}>
      {width ? (
        <svg className="chart" width={width} height={HEIGHT} role="group" aria-label={`${shown[0]!.metric.name} of ${shown.length} versions`}>
          {scale.map((t) => <g key={t}><line className="rule" x1={LEFT} x2={width} y1={y(t)} y2={y(t)} /><text x={LEFT - 8} y={y(t)} dy={4} textAnchor="end">{value(t)}</text></g>)}
          {shown.map(({ v, metric }, i) => {
            const x = LEFT + step * (i + 0.5), passed = v.verdict?.passed ?? false;
            return (
              <a key={v.version} href={href(["models", v.model, v.version])} aria-label={`version ${v.version}: ${metric.name} ${value(metric.value)}`}>
                <rect x={x - step / 2} y={TOP} width={step} height={HEIGHT - TOP} fill="transparent" />
                <line x1={x} x2={x} y1={y(metric.low ?? metric.value!)} y2={y(metric.high ?? metric.value!)} stroke={passed ? "var(--accent)" : "var(--soft)"} strokeWidth={2} />
                <circle cx={x} cy={y(metric.value!)} r={5} fill={passed ? "var(--accent)" : "var(--paper)"} stroke={passed ? "var(--accent)" : "var(--soft)"} strokeWidth={2}><title>{`${metric.name} ${value(metric.value)}`}</title></circle>
                <text x={x} y={HEIGHT - 6} textAnchor="middle">{v.version}{v.stage === "champion" ? " ★" : ""}</text>
              </a>
            );
          })}
        </svg>
      ) : null}
      <div className="legend"><span>● passed its gates</span><span>○ held back</span><span>★ champion</span><span>{shown[0]!.metric.name}, 95 % interval</span></div>
    </div>
  );
}

