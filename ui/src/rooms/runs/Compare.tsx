import { Select, Tabs, Text } from "@mantine/core";
import { useMemo } from "react";
import type { ViewProps } from "../../App";
import { href, useView } from "../../address";
import { ask, useAll } from "../../api/client";
import type { Run, RunComparison } from "../../api/types";
import { Parallel } from "../../charts/Parallel";
import { Scatter } from "../../charts/Scatter";
import { percent, plain, short, value } from "../../format";
import { Empty, Head, Link, Loaded, Panel, Twin } from "../../parts/basics";
import { Table } from "../../parts/table";
import { colourOf } from "../../theme";
import { Curves, labelOf, labelsOf } from "./Curves";
import { weights } from "./stats";

export default function Compare({ parts }: ViewProps) {
  const ids = (parts[0] ?? "").split(",").filter(Boolean);
  if (!ids.length) return <><Head title="Compare" trail={[["Runs", "#/runs"]]} /><Empty>Pick runs in the table of <Link to="#/runs">runs</Link>, then compare them.</Empty></>;
  return <Compared ids={ids} />;
}

function Compared({ ids }: { ids: string[] }) {
  const from = useAll({ found: ask("run_search/compare", { runs: ids }) });
  const [view, setView] = useView({ tab: "table" });
  return (
    <>
      <Head title={`Compare ${ids.length} runs`} trail={[["Runs", "#/runs"]]} />
      <Loaded from={from}>{({ found }) => {
        const metrics = found.metrics.map((m) => m.key);
        const labels = labelsOf(found.runs);
        return (
          <>
            <div className="legend gap">{found.runs.slice(0, 40).map((run, i) => <span key={run.id}><i className="swatch" style={{ background: colourOf(i) }} /><Link to={href(["runs", run.id])}>{labels.get(run.id)}</Link></span>)}</div>
            <Tabs value={view.tab} onChange={(tab) => setView({ tab: tab ?? "table" })} keepMounted={false} className="tabs">
              <Tabs.List>{[["table", "Params and metrics"], ["curves", "Curves"], ["parallel", "Parallel coordinates"], ["scatter", "Scatter"], ["code", "Code and environment"]].map(([key, name]) => <Tabs.Tab key={key} value={key!}>{name}</Tabs.Tab>)}</Tabs.List>
              <div className="tab">
                <Tabs.Panel value="table"><Differences of={found} /></Tabs.Panel>
                <Tabs.Panel value="curves"><Panel>{metrics.length ? <Curves runs={found.runs} keys={metrics} /> : <Empty>None of them logged a metric.</Empty>}</Panel></Tabs.Panel>
                <Tabs.Panel value="parallel"><Across runs={found.runs} metrics={metrics} /></Tabs.Panel>
                <Tabs.Panel value="scatter"><Against runs={found.runs} metrics={metrics} /></Tabs.Panel>
                <Tabs.Panel value="code"><Code of={found} /></Tabs.Panel>
              </div>
            </Tabs>
            <Twin>{`flyball runs compare ${ids.slice(0, 8).join(" ")}${ids.length > 8 ? " …" : ""}`}</Twin>
          </>
        );
      }}</Loaded>
    </>
  );
}

interface Line {
  key: string;
  cells: React.ReactNode[];
}

function Wide({ title, runs, lines }: { title: string; runs: Run[]; lines: Line[] }) {
  const labels = labelsOf(runs);
  if (!lines.length) return null;
  return (
    <Panel title={title}>
      <div className="scroll-x"><table className="compare"><thead><tr><td />{runs.map((run, i) => <th key={run.id} scope="col"><i className="swatch" style={{ background: colourOf(i) }} /> <Link to={href(["runs", run.id])}>{labels.get(run.id)}</Link></th>)}</tr></thead>
        <tbody>{lines.map((line) => <tr key={line.key}><th scope="row">{line.key}</th>{line.cells.map((cell, i) => <td key={i}>{cell}</td>)}</tr>)}</tbody></table></div>
    </Panel>
  );
}

function Differences({ of: { runs, params, same_params, metrics, data, tags } }: { of: RunComparison }) {
  const same = Object.entries(same_params);
  return (
    <div className="stack">
      <Wide title="Metrics" runs={runs} lines={metrics.map((row) => ({ key: row.key, cells: row.values.map((v, i) => (row.best.includes(i) ? <strong className="good">{value(v)}</strong> : value(v))) }))} />
      <Wide title="Params that differ" runs={runs} lines={params.map((row) => ({ key: row.key, cells: row.values.map(plain) }))} />
      {same.length ? <Panel title="Params that are the same"><Text size="sm" className="long">{same.map(([k, v]) => `${k}=${plain(v)}`).join(", ")}</Text></Panel> : null}
      <Wide title="Data" runs={runs} lines={data.map((row) => ({ key: row.name, cells: row.states.map((s) => (s === null ? "–" : <code>{short(s)}</code>)) }))} />
      <Wide title="Tags" runs={runs} lines={tags.map((row) => ({ key: row.key, cells: row.values.map((v) => short(plain(v))) }))} />
    </div>
  );
}

function Across({ runs, metrics }: { runs: Run[]; metrics: string[] }) {
  const [view, setView] = useView({ metric: "" });
  const metric = metrics.includes(view.metric) ? view.metric : metrics[0] ?? "";
  const found = useMemo(() => weights(runs, metric), [runs, metric]);
  const axes = useMemo(() => {
    const params = [...new Set(runs.flatMap((run) => Object.keys(run.params)))].filter((key) => new Set(runs.map((run) => plain(run.params[key]))).size > 1).slice(0, 8);
    const others = metrics.filter((key) => key !== metric && !key.startsWith("system/")).slice(0, 4);
    return [
      ...params.map((key) => ({ key: `params.${key}`, values: runs.map((run) => { const v = run.params[key]; return typeof v === "number" ? v : v == null ? null : plain(v); }) })),
      ...[...others, ...(metric ? [metric] : [])].map((key) => ({ key: `metrics.${key}`, values: runs.map((run) => run.metrics[key] ?? null) })),
    ];
  }, [runs, metrics, metric]);
  if (axes.length < 2) return <Panel><Empty>They differ in nothing that could stand on two axes.</Empty></Panel>;
  return (
    <div className="stack">
      <Panel aside={<Select aria-label="Metric" data={metrics} value={metric} onChange={(m) => setView({ metric: m ?? "" })} />} title="Drag along an axis to keep the runs that pass there">
        <Parallel axes={axes} colours={runs.map((_, i) => colourOf(i))} labels={[...labelsOf(runs).values()]} />
      </Panel>
      <Panel title={`What goes with ${metric}`}>
        <Table rows={found} id={(w) => w.param} empty={<Empty>No param varies enough over these runs.</Empty>} columns={[
          { title: "param", cell: (w) => w.param }, { title: "strength", cell: (w) => <span className="took left"><i style={{ width: `${120 * w.strength}px` }} />{percent(w.strength)}</span> },
          { title: "how", cell: (w) => (w.direction === "choice" ? "differs between choices" : `${w.direction} of ${metric} with more of it`), wide: true },
        ]} />
        <Text size="xs" c="dimmed" mt={6}>Rank correlation, for choices the share of variance between them. It tells where to look, not what is the cause.</Text>
      </Panel>
    </div>
  );
}

function Against({ runs, metrics }: { runs: Run[]; metrics: string[] }) {
  const numeric = [...new Set(runs.flatMap((run) => Object.entries(run.params).filter(([, v]) => typeof v === "number").map(([k]) => `params.${k}`)))];
  const choices = [...numeric, ...metrics.map((key) => `metrics.${key}`)];
  const [view, setView] = useView({ x: choices[0] ?? "", y: `metrics.${metrics[0] ?? ""}` });
  const at = (run: Run, field: string): number | null => {
    const [group, ...rest] = field.split(".");
    const found = group === "params" ? run.params[rest.join(".")] : run.metrics[rest.join(".")];
    return typeof found === "number" ? found : null;
  };
  const labels = labelsOf(runs);
  const dots = runs.flatMap((run, i) => {
    const [x, y] = [at(run, view.x), at(run, view.y)];
    return x === null || y === null ? [] : [{ x, y, colour: colourOf(i), label: labels.get(run.id)!, to: href(["runs", run.id]) }];
  });
  return (
    <Panel>
      <div className="toolbar"><Select label="Across" searchable data={choices} value={view.x} onChange={(x) => setView({ x: x ?? "" })} /><Select label="Up" searchable data={choices} value={view.y} onChange={(y) => setView({ y: y ?? "" })} /></div>
      {dots.length ? <Scatter dots={dots} xName={view.x.replace(/^\w+\./, "")} yName={view.y.replace(/^\w+\./, "")} /> : <Empty>None of the runs has both.</Empty>}
    </Panel>
  );
}

function Code({ of: { runs, environment, code } }: { of: RunComparison }) {
  return (
    <div className="stack">
      <Wide title="Environment" runs={runs} lines={environment.map((row) => ({ key: row.key, cells: row.values.map(plain) }))} />
      {code.map((one) => (
        <Panel key={one.run} title={`Code of ${labelOf(runs.find((run) => run.id === one.run) ?? runs[0]!)}`}>
          {one.known ? one.files.map((file) => <details key={file.path}><summary>{file.change} {file.path}</summary><pre className="block">{file.diff}</pre></details>) : <Text size="sm" c="dimmed">Its code is not kept here.</Text>}
        </Panel>
      ))}
      {!environment.length && !code.length ? <Panel><Empty>They ran the same code in the same environment.</Empty></Panel> : null}
    </div>
  );
}
