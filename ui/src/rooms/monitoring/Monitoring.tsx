import { Select, Tabs, Text } from "@mantine/core";
import type { ViewProps } from "../../App";
import { href, useView } from "../../address";
import { ask, askBlob, useAll, useAsked } from "../../api/client";
import type { MonitoringWindow } from "../../api/types";
import { count, day, percent, plural, value } from "../../format";
import { Empty, Figure, Head, Link, Loaded, Panel, State, Twin, When } from "../../parts/basics";
import { Table } from "../../parts/table";
import { Windows } from "../loops/LoopPage";
import { marksOf, metricOf, pointsOf } from "../loops/timeline";
import { Timeline } from "../loops/Timeline";
import { Intervals } from "../models/Evaluation";
import { Distribution } from "./Distribution";
import { Heat } from "./Heat";
import type { Reference } from "./bins";

export default function Monitoring({ parts }: ViewProps) {
  return parts[0] ? <Monitored name={parts[0]} /> : <MonitoredList />;
}

function MonitoredList() {
  const from = useAll({ deployments: ask("deployments/list", { limit: 500 }), alerts: ask("alerts/list", { state: "active", limit: 1000 }) });
  return (
    <>
      <Head title="Monitoring" under="Inputs, predictions and truth of what is served, window by window." />
      <Loaded from={from}>{({ deployments, alerts }) => (
        <Panel>
          <Table rows={deployments} id={(d) => d.name} first={50} empty={<Empty command="flyball deployments deploy NAME MODEL/VERSION">Nothing is served yet, so there is nothing to watch:</Empty>} columns={[
            { title: "deployment", cell: (d) => <Link to={href(["monitoring", d.name])}>{d.name}</Link> }, { title: "champion", number: true, cell: (d) => d.champion },
            { title: "alerts", cell: (d) => { const n = alerts.filter((a) => a.subject === `deployments:/${d.name}`).length; return n ? <Link to="#/alerts">{plural(n, "active alert")}</Link> : <State of="healthy">none</State>; } }, { title: "changed", cell: (d) => <When at={d.updated} /> },
          ]} />
          <Twin>flyball monitor list DEPLOYMENT</Twin>
        </Panel>
      )}</Loaded>
    </>
  );
}

function Monitored({ name }: { name: string }) {
  const from = useAll({ windows: ask("monitoring/list_windows", { deployment: name, limit: 200 }), history: ask("loops/list", { limit: 1000 }), deployment: ask("deployments/get", { name }), alerts: ask("alerts/list", { subject: `deployments:/${name}`, limit: 100 }) });
  useAsked(ask("registry/list_versions", { model: name, limit: 200 }));
  const [view, setView] = useView({ window: "", tab: "drift", column: "", metric: "" });
  return (
    <>
      <Head title={name} trail={[["Monitoring", "#/monitoring"]]} under={<><Link to={href(["deployments", name])}>deployment</Link>{from.data?.history.some((l) => l.loop.name === name) ? <>, <Link to={href(["loops", name])}>loop</Link></> : null}</>}
        actions={from.data?.windows.length ? <Select aria-label="Window" data={from.data.windows.map((w) => ({ value: w.start, label: `${day(w.start)} to ${day(w.end)}` }))} value={chosen(from.data.windows, view.window).start} onChange={(start) => setView({ window: start ?? "" })} w={220} allowDeselect={false} /> : null} />
      <Loaded from={from}>{({ windows, deployment, alerts }) => {
        if (!windows.length) return <Empty>No window has closed yet: the first one ends a window's length after the first prediction.</Empty>;
        const window = chosen(windows, view.window);
        return (
          <>
            <Numbers of={window} alerts={alerts.filter((a) => a.state !== "resolved").length} />
            <Tabs value={view.tab} onChange={(tab) => setView({ tab: tab ?? "drift" })} keepMounted={false} className="tabs">
              <Tabs.List>{[["drift", "Drift"], ["performance", "Performance"], ["causes", "Root causes"], ["bias", "Bias"], ["windows", "Windows"]].map(([key, title]) => <Tabs.Tab key={key} value={key!}>{title}</Tabs.Tab>)}</Tabs.List>
              <div className="tab">
                <Tabs.Panel value="drift"><Drift windows={windows} window={window} model={deployment.model} column={view.column} onChoose={(column, start) => setView({ column, window: start })} /></Tabs.Panel>
                <Tabs.Panel value="performance"><Performance windows={windows} window={window} metric={view.metric} onMetric={(metric) => setView({ metric })} /></Tabs.Panel>
                <Tabs.Panel value="causes"><Causes of={window} /></Tabs.Panel>
                <Tabs.Panel value="bias"><Bias of={window} /></Tabs.Panel>
                <Tabs.Panel value="windows"><Panel><Windows of={windows} /></Panel></Tabs.Panel>
              </div>
            </Tabs>
            <Twin>{`flyball monitor list ${name}`}</Twin>
          </>
        );
      }}</Loaded>
    </>
  );
}

const chosen = (windows: MonitoringWindow[], start: string): MonitoringWindow => windows.find((w) => w.start === start) ?? windows[0]!;

function Numbers({ of, alerts }: { of: MonitoringWindow; alerts: number }) {
  const metric = of.performance[0];
  return (
    <div className="figures figures-top">
      <Figure label="Window" under={of.complete ? "complete" : "labels still come"}><span className="smaller">{day(of.start)}</span></Figure>
      <Figure label="Predictions" under={`${percent(of.labelled / Math.max(1, of.predictions))} labelled`}>{count(of.predictions)}</Figure>
      <Figure label={metric?.name ?? "Performance"} under={metric?.low != null ? `${value(metric.low)} to ${value(metric.high)}` : "no truth yet"}>{value(metric?.value)}</Figure>
      <Figure label="Columns drifted" tone={of.drift?.drifted ? "bad" : "good"} under={`of ${of.drift?.columns.length ?? 0}`}>{of.drift?.columns.filter((c) => c.drifted).length ?? 0}</Figure>
      <Figure label="Active alerts" tone={alerts ? "bad" : undefined} under={<Link to="#/alerts">inbox</Link>}>{alerts}</Figure>
    </div>
  );
}

function Drift({ windows, window, model, column, onChoose }: { windows: MonitoringWindow[]; window: MonitoringWindow; model: string; column: string; onChoose: (column: string, start: string) => void }) {
  const versions = Object.entries(window.versions).sort((a, b) => b[1] - a[1]);
  const main = versions[0]?.[0] ?? "";
  const whole = useAsked(ask("monitoring/get_window", { deployment: window.deployment, start: window.start })).data;
  // Asked for with the windows already, where the model is called as its deployment is.
  const known = useAsked(ask("registry/list_versions", { model: window.deployment, limit: 200 }, model === window.deployment)).data?.find((one) => String(one.version) === main);
  const version = useAsked(ask("registry/get_version", { ref: `${model}/${main}` }, main !== "" && model !== window.deployment)).data ?? known;
  const reference = useAsked(askBlob<Reference>(version?.reference ?? "")).data;
  const columns = window.drift?.columns ?? [];
  const shown = columns.some((c) => c.column === column) ? column : columns[0]?.column ?? "";
  const found = columns.find((c) => c.column === shown);
  return (
    <div className="stack">
      <Panel title="Drift, column by window" aside="how much of the distance exceeds what chance and season give; outlined where it counts as drift"><Heat windows={windows} chosen={{ column: shown, start: window.start }} onChoose={onChoose} /></Panel>
      <div className="grid">
        <Panel className="c7" title={`${shown}: reference and this window`} aside={found ? <State of={found.drifted ? "drifted" : "healthy"}>{found.drifted ? "drifted" : "no drift"}</State> : null}>
          {whole?.profile && reference && shown ? <Distribution column={shown} reference={reference} now={whole.profile} /> : <Empty>No profile of this window is kept.</Empty>}
          {found ? <Text size="sm" c="dimmed" mt="xs">{found.cause ? `${found.cause}. ` : ""}{found.metric.replaceAll("_", " ")} {value(found.distance)}, of which {value(found.excess)} beyond chance (threshold {value(found.threshold)}); p {value(found.p_value)}, corrected for all columns {value(found.q_value)}.</Text> : null}
        </Panel>
        <Panel className="c5" title="Columns of this window">
          <Table rows={columns} id={(c) => c.column} first={12} empty={<Empty>No column was compared.</Empty>} columns={[
            { title: "column", cell: (c) => <button type="button" className="linkish" onClick={() => onChoose(c.column, window.start)}>{c.column}</button> }, { title: "beyond chance", number: true, cell: (c) => value(c.excess) }, { title: "q", number: true, cell: (c) => value(c.q_value) }, { title: "", cell: (c) => (c.drifted ? <State of="drifted" /> : "") },
          ]} />
        </Panel>
      </div>
      {window.quality.length || window.multivariate.length ? (
        <Panel title="Faults of the data and joint drift">
          {window.findings.map((f) => <Text key={f} size="sm">{f}</Text>)}
          {window.multivariate.map((m) => <Text key={`${m.group} ${m.metric}`} size="sm" c={m.drifted ? undefined : "dimmed"}>{m.group}: {m.metric.replaceAll("_", " ")} {value(m.distance)} (threshold {value(m.threshold)}) {m.cause}</Text>)}
        </Panel>
      ) : null}
    </div>
  );
}

function Performance({ windows, window, metric, onMetric }: { windows: MonitoringWindow[]; window: MonitoringWindow; metric: string; onMetric: (metric: string) => void }) {
  const metrics = [...new Set(windows.flatMap((w) => [...w.performance, ...w.estimated].map((m) => m.name)))];
  const shown = metrics.includes(metric) ? metric : metricOf(windows);
  const points = pointsOf(windows, shown);
  const byVersion = Object.entries(window.performance_by_version).flatMap(([version, scores]) => scores.map((m) => ({ name: `version ${version} ${m.name}`, metric: m })));
  return (
    <div className="stack">
      <Panel title={`${shown} over time`} aside={<Select aria-label="Metric" data={metrics} value={shown} onChange={(m) => onMetric(m ?? "")} allowDeselect={false} />}>
        {points.length ? <Timeline metric={shown} points={points} marks={marksOf([], [], windows)} /> : <Empty command="flyball monitor truth NAME FILE">No truth has come back yet. Hand it in:</Empty>}
        <div className="legend"><span><i className="swatch" style={{ background: "var(--accent)" }} />measured, with its 95 % interval</span><span>- - estimated without labels</span></div>
      </Panel>
      <div className="grid">
        <Panel className="c6" title="This window, measured">{window.performance.length ? <Intervals of={window.performance.map((m) => ({ name: m.name, metric: m }))} /> : <Text size="sm" c="dimmed">No truth is known of it yet.</Text>}</Panel>
        <Panel className="c6" title="This window, estimated from the scores alone">{window.estimated.length ? <Intervals of={window.estimated.map((m) => ({ name: m.name, metric: m }))} /> : <Text size="sm" c="dimmed">Nothing to estimate from.</Text>}</Panel>
        {byVersion.length ? <Panel className="c6" title="By version"><Intervals of={byVersion} /></Panel> : null}
      </div>
    </div>
  );
}

function Causes({ of }: { of: MonitoringWindow }) {
  const ranked = [...of.attribution].sort((a, b) => Math.abs(b.mix) + Math.abs(b.rate) - Math.abs(a.mix) - Math.abs(a.rate));
  return (
    <Panel title="What the change of the mean loss is made of" aside="mix: there are more or fewer such rows; rate: the model does worse on them">
      <Table rows={ranked} id={(a) => a.column} first={20} empty={<Empty>There is no labelled change to share out over the columns.</Empty>} columns={[
        { title: "column", cell: (a) => a.column }, { title: "mix", number: true, cell: (a) => value(a.mix) }, { title: "rate", number: true, cell: (a) => value(a.rate) },
        { title: "the cells that matter", wide: true, cell: (a) => [...a.cells].sort((x, y) => Math.abs(y.part) - Math.abs(x.part)).slice(0, 3).map((c) => `${c.cell}: ${percent(c.share_before)} → ${percent(c.share_now)} of the rows, loss ${value(c.loss_before)} → ${value(c.loss_now)}`).join("\n") },
      ]} />
    </Panel>
  );
}

function Bias({ of }: { of: MonitoringWindow }) {
  return (
    <div className="stack">
      <Panel title="Groups">
        <Table rows={of.bias} id={(g) => `${g.column} ${g.group}`} first={30} empty={<Empty>No group is watched. Add a bias monitor to the loop.</Empty>} columns={[
          { title: "column", cell: (g) => g.column }, { title: "group", cell: (g) => g.group }, { title: "predictions", number: true, cell: (g) => count(g.n) }, { title: "labelled", number: true, cell: (g) => count(g.labelled) }, { title: "called positive", number: true, cell: (g) => (g.positive_rate === null ? "–" : percent(g.positive_rate, 1)) },
          { title: "accuracy", number: true, cell: (g) => value(g.accuracy) }, { title: "true positives", number: true, cell: (g) => value(g.true_positive_rate) }, { title: "false positives", number: true, cell: (g) => value(g.false_positive_rate) },
          { title: "of the best", number: true, cell: (g) => (g.ratio === null ? "–" : <span className={g.is_apart ? "bad" : ""}>{percent(g.ratio)}</span>) },
        ]} />
      </Panel>
      {of.fairness.length ? <Panel title="Fairness"><Table rows={of.fairness} id={(f) => `${f.measure} ${f.column} ${f.rate}`} columns={[{ title: "measure", cell: (f) => f.measure.replaceAll("_", " ") }, { title: "column", cell: (f) => f.column }, { title: "value", number: true, cell: (f) => value(f.value) }, { title: "threshold", number: true, cell: (f) => value(f.threshold) }, { title: "", cell: (f) => <State of={f.is_unfair ? "failed" : "passed"}>{f.is_unfair ? "unfair" : "fair"}</State> }]} /></Panel> : null}
    </div>
  );
}
