import { Tabs } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { href, useView } from "../../address";
import { ask, useAll } from "../../api/client";
import type { Run, TrackingArtifact } from "../../api/types";
import { between, lasted, plain, short, value } from "../../format";
import { Act } from "../../parts/act";
import { Code, Empty, Facts, Head, Link, Loaded, Panel, Ref, State, Twin, When } from "../../parts/basics";
import { Talk } from "../../parts/talk";
import { Table } from "../../parts/table";
import { Stop } from "../pipelines/Errands";
import { Steps } from "../pipelines/Steps";
import { isLog } from "./artifact";
import { Artifacts } from "./Artifacts";
import { Curves, labelOf } from "./Curves";

export function RunPage({ id }: { id: string }) {
  const from = useAll({
    run: ask("tracking/get_run", { run: id }), steps: ask("tracking/list_runs", { parent: id, limit: 500 }), artifacts: ask("tracking/list_artifacts", { run: id, limit: 1000 }),
    made: ask("registry/find_by_run", { run: id }), lineage: ask("lineage/upstream", { ref: `runs:/${id}`, depth: 1 }),
  });
  const [view, setView] = useView({ tab: "overview" });
  const queries = useQueryClient();
  const isRunning = from.data?.run.state === "running";
  useEffect(() => {
    if (!isRunning) return; // points and lines of a log are no events: while a run is under way they are asked for again
    const again = setInterval(() => void queries.invalidateQueries({ queryKey: ["tracking"] }), 4000);
    return () => clearInterval(again);
  }, [isRunning, queries]);
  return (
    <Loaded from={from}>{({ run, steps, artifacts, made, lineage }) => {
      const own = Object.keys(run.metrics).filter((key) => !key.startsWith("system/")).sort(), system = Object.keys(run.metrics).filter((key) => key.startsWith("system/")).sort();
      const logs = artifacts.filter((a) => isLog(a.name, a.kind)), files = artifacts.filter((a) => !isLog(a.name, a.kind));
      const inner = [...steps].reverse();
      return (
        <>
          <Head title={labelOf(run)} trail={[["Runs", "#/runs"], [run.experiment, href(["runs"], { experiment: run.experiment_id })], ...(run.parent ? [["part of", href(["runs", run.parent])] as [string, string]] : [])]}
            tag={<State of={run.state} />} under={<>{run.kind}, <When at={run.started} />{run.ended && run.ended !== run.started ? `, ${lasted(between(run.started, run.ended))}` : ""} <Code>{run.id}</Code></>} actions={<Actions run={run} />} />
          {run.deleted ? <p className="note">In the trash since <When at={run.deleted} />.</p> : null}
          {run.error ? <Panel title="Error" className="gap"><pre className="block bad" tabIndex={0}>{run.error}</pre></Panel> : null}
          <Tabs value={view.tab} onChange={(tab) => setView({ tab: tab ?? "overview" })} keepMounted={false} className="tabs">
            <Tabs.List>
              <Tabs.Tab value="overview">Overview</Tabs.Tab>
              <Tabs.Tab value="curves">Curves</Tabs.Tab>
              {inner.length ? <Tabs.Tab value="steps">Steps ({inner.length})</Tabs.Tab> : null}
              <Tabs.Tab value="artifacts">Artifacts ({files.length})</Tabs.Tab>
              <Tabs.Tab value="logs">Logs</Tabs.Tab>
              <Tabs.Tab value="system">System</Tabs.Tab>
              <Tabs.Tab value="environment">Environment</Tabs.Tab>
            </Tabs.List>
            <div className="tab">
              <Tabs.Panel value="overview"><Overview run={run} inner={inner} keys={own} made={made.map((v) => [v.model, v.version])} used={lineage.map((edge) => [edge.relation, edge.source])} /></Tabs.Panel>
              <Tabs.Panel value="curves"><Panel>{own.length ? <Curves runs={[run]} keys={own} /> : <Empty command={"run.log(loss=0.1, step=3)"}>No metric was logged.</Empty>}</Panel></Tabs.Panel>
              <Tabs.Panel value="steps"><Panel><Steps run={run} steps={inner} /></Panel></Tabs.Panel>
              <Tabs.Panel value="artifacts"><Panel><Artifacts of={files} /></Panel></Tabs.Panel>
              <Tabs.Panel value="logs"><Logs own={logs} steps={inner} /></Tabs.Panel>
              <Tabs.Panel value="system"><Panel>{system.length ? <Curves runs={[run]} keys={system} isSystem /> : <Empty command={"with fb.run(\"train\", system_metrics=True): ..."}>The load of the machine was not logged.</Empty>}</Panel></Tabs.Panel>
              <Tabs.Panel value="environment"><Panel><Environment run={run} /></Panel></Tabs.Panel>
            </div>
          </Tabs>
          <Twin>{`flyball runs show ${id}`}</Twin>
          {run.kind === "pipeline" && ["failed", "lost", "cancelled"].includes(run.state) ? <Twin>{`flyball run ${run.tags.pipeline ?? run.name} --resume ${id}`}</Twin> : null}
        </>
      );
    }}</Loaded>
  );
}

function Actions({ run }: { run: Run }) {
  if (run.deleted) return <Act verb="tracking/restore_run" takes={{ run: run.id }} twin={`flyball runs restore ${run.id}`}>Restore</Act>;
  return run.state === "running" ? <Stop run={run} /> : <Act verb="tracking/delete_run" takes={{ run: run.id }} twin={`flyball runs delete ${run.id}`} question="Put this run into the trash? It can be restored.">Put into the trash</Act>;
}

function Overview({ run, inner, keys, made, used }: { run: Run; inner: Run[]; keys: string[]; made: [string, number][]; used: [string, string][] }) {
  const params = Object.entries(run.params), tags = Object.entries(run.tags);
  return (
    <div className="grid">
      <div className="c8 stack">
        {keys.length ? <Panel title="Metrics"><div className="figures tight">{keys.map((key) => <div key={key} className="metric"><span className="soft">{key}</span><strong>{value(run.metrics[key])}</strong></div>)}</div></Panel> : null}
        <Panel title="Parameters">{params.length ? <Facts of={Object.fromEntries(params.map(([key, v]) => [key, plain(v)]))} /> : <Empty>None: the defaults.</Empty>}</Panel>
        {inner.length ? <Panel title="Runs inside"><Table rows={inner} id={(r) => r.id} columns={[{ title: "name", cell: (r) => <Link to={href(["runs", r.id])}>{labelOf(r)}</Link> }, { title: "state", cell: (r) => <State of={r.state} /> }, { title: "why it ran", cell: (r) => r.tags.why ?? "", wide: true }]} /></Panel> : null}
        <Talk about={`runs:/${run.id}`} twin="flyball models comment" />
      </div>
      <div className="c4 stack">
        <Panel title="Facts">
          <Facts of={{
            experiment: <Link to={href(["runs"], { experiment: run.experiment_id })}>{run.experiment}</Link>, by: run.user, started: <When at={run.started} />, ended: <When at={run.ended} />, attempt: run.attempt, code: run.code ? <Code>{short(run.code)}</Code> : "–",
            ...(made.length ? { registered: <>{made.map(([model, version]) => <div key={model}><Link to={href(["models", model, version])}>{model} version {version}</Link></div>)}</> } : {}),
            ...(used.length ? { "made with": <>{used.map(([relation, ref]) => <div key={`${relation} ${ref}`}>{relation.replaceAll("_", " ")} <Ref to={ref} /></div>)}</> } : {}),
          }} />
        </Panel>
        {run.notes ? <Panel title="Notes"><p className="notes">{run.notes}</p></Panel> : null}
        {tags.length ? <Panel title="Tags"><Facts of={Object.fromEntries(tags.map(([key, v]) => [key, v.length > 40 ? <Code>{short(v)}</Code> : v]))} /></Panel> : null}
      </div>
    </div>
  );
}

function Logs({ own, steps }: { own: TrackingArtifact[]; steps: Run[] }) {
  const from = useAll(Object.fromEntries(steps.slice(0, 30).map((step) => [step.id, ask("tracking/list_artifacts", { run: step.id, limit: 50 })])));
  return (
    <Panel>
      <Loaded from={from}>{(found) => (
        <Artifacts isLog of={[...own, ...steps.flatMap((step) => (found[step.id] ?? []).filter((a) => isLog(a.name, a.kind)).map((a) => ({ ...a, name: `${step.name}/${a.name}` })))]} />
      )}</Loaded>
    </Panel>
  );
}

function Environment({ run }: { run: Run }) {
  const facts = Object.entries(run.environment);
  return facts.length ? <Facts of={Object.fromEntries(facts.map(([key, v]) => [key, key.includes("packages") || v.includes("\n") ? <pre className="block">{v}</pre> : v]))} /> : <Empty>Nothing is known of where it ran.</Empty>;
}
