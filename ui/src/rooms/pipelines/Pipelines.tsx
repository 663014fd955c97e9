import { Badge, Text } from "@mantine/core";
import type { ViewProps } from "../../App";
import { href } from "../../address";
import { ask, useAll, useAsked } from "../../api/client";
import type { LoopState, Planned, Run } from "../../api/types";
import { between, call, count, lasted, plain, short } from "../../format";
import { Code, Empty, Head, Link, Loaded, Panel, State, Twin, When } from "../../parts/basics";
import { Table } from "../../parts/table";
import { Talk } from "../../parts/talk";
import { Asked, BackFill, RunAgain, Stop } from "./Errands";
import { Steps } from "./Steps";

export default function Pipelines({ parts }: ViewProps) {
  return parts[0] ? <Pipeline name={parts[0]} /> : <PipelineList />;
}

const isOf = (run: Run, name: string): boolean => (run.tags.pipeline ?? run.name) === name;

function PipelineList() {
  const from = useAll({ groups: ask("run_search/group", { by: ["tags.pipeline"], filter: "attributes.kind = 'pipeline'", limit: 500 }), runs: ask("run_search/search", { filter: "attributes.kind = 'pipeline'", limit: 300 }), loops: ask("loops/list", { limit: 500 }) });
  return (
    <>
      <Head title="Pipelines" under="What makes models, step by step; steps that nothing changed for come from the cache." />
      <Loaded from={from}>{({ groups, runs, loops }) => groups.groups.length ? (
        <div className="cards">
          {groups.groups.map((group) => {
            const name = plain(group.values[0]);
            const mine = runs.runs.filter((run) => isOf(run, name));
            const scheduled = loops.filter(({ loop }) => loop.pipeline === name);
            return (
              <Panel key={name} title={<Link to={href(["pipelines", name])}>{name}</Link>} aside={`${count(group.count)} runs`}>
                <div className="dots" role="group" aria-label={`The last ${Math.min(40, mine.length)} runs`}>{mine.slice(0, 40).reverse().map((run) => <a key={run.id} href={href(["runs", run.id])} className={`run-dot ${run.state}`} title={`${run.state}, ${run.started.slice(0, 16)}`} aria-label={`${run.state} ${run.started.slice(0, 10)}`} />)}</div>
                {mine[0] ? <Text size="sm" mt={8}><State of={mine[0].state} /> <When at={mine[0].started} relative /></Text> : null}
                {scheduled.map(({ loop }) => <Text key={loop.name} size="sm" c="dimmed" mt={4}>run by the loop <Link to={href(["loops", loop.name])}>{loop.name}</Link> {loop.retrain.map((t) => <Badge key={t.trigger} size="xs" variant="default" tt="none" mr={4}>{t.trigger === "schedule" ? `schedule ${plain(t.params.cron)}` : t.trigger}</Badge>)}</Text>)}
              </Panel>
            );
          })}
        </div>
      ) : <Empty command={"flyball init my-project\ncd my-project\nflyball run PIPELINE"}>No pipeline has run yet. A pipeline is a Python function of steps:</Empty>}</Loaded>
    </>
  );
}

function Pipeline({ name }: { name: string }) {
  const quoted = `'${name.replaceAll("'", "''")}'`;
  const from = useAll({
    runs: ask("run_search/search", { filter: `attributes.kind = 'pipeline' AND tags.pipeline = ${quoted}`, limit: 200 }), planned: ask("simulations/schedule", { count: 3 }), loops: ask("loops/list", { limit: 500 }),
  });
  useAsked(ask("step_cache/latest_of", { pipeline: name })); // what its steps will ask for, once they are known
  const newest = from.data?.runs.runs[0];
  const steps = useAsked({ ...ask("tracking/list_runs", { parent: newest?.id ?? "", limit: 500 }, newest !== undefined), refetchInterval: () => (newest?.state === "running" ? 2000 : false) }).data;
  const names = [...new Set((steps ?? []).map((step) => step.name).reverse())];
  return (
    <>
      <Head title={name} trail={[["Pipelines", "#/pipelines"]]} under="Run it again: steps that nothing changed for come from the cache." actions={newest ? (
        <>
          {newest.state === "running" ? <Stop run={newest} /> : null}
          {newest.code ? <><BackFill pipeline={name} run={newest} /><RunAgain key={`${newest.id} ${names.length}`} pipeline={name} run={newest} steps={names} /></> : null}
        </>
      ) : null} />
      <Loaded from={from}>{({ runs: { runs }, planned, loops }) => runs.length ? (
        <div className="stack">
          <Asked about={name} />
          <Panel title="The last run" aside={<><State of={runs[0]!.state} /><Link to={href(["runs", runs[0]!.id])}>{short(runs[0]!.id)}</Link></>}>{steps ? <Steps run={runs[0]!} steps={[...steps].reverse()} /> : null}</Panel>
          <Schedule name={name} planned={planned} loops={loops} />
          <Panel title="Runs">
            <Table rows={runs} id={(r) => r.id} first={25} columns={[
              { title: "run", cell: (r) => <Link to={href(["runs", r.id])}>{short(r.id)}</Link> }, { title: "state", cell: (r) => <State of={r.state} /> }, { title: "started", cell: (r) => <When at={r.started} /> },
              { title: "params", wide: true, cell: (r) => [r.tags.window ?? "", ...Object.entries(r.params).map(([k, v]) => `${k}=${plain(v)}`)].filter(Boolean).join(", ") }, { title: "took", number: true, cell: (r) => (r.ended && r.ended !== r.started ? lasted(between(r.started, r.ended)) : "–") },
            ]} />
          </Panel>
          <Talk about={`pipelines:/${name}`} />
          <Twin>{`flyball run ${name}`}</Twin>
        </div>
      ) : <Empty command={`flyball run ${name}`}>No run of this pipeline yet.</Empty>}</Loaded>
    </>
  );
}

function Schedule({ name, planned, loops }: { name: string; planned: Planned[]; loops: LoopState[] }) {
  const mine = loops.filter(({ loop }) => loop.pipeline === name);
  const times = planned.filter((one) => one.pipeline === name);
  return (
    <Panel title="Schedule" aside={mine.map(({ loop }) => <Link key={loop.name} to={href(["loops", loop.name])}>{`loop ${loop.name}`}</Link>)}>
      <Table rows={times} id={(one) => `${one.loop} ${one.at} ${one.cron}`} empty={<Empty command={'fb.loop(\n    "my-model", my_pipeline,\n    retrain=[fb.on.schedule("0 3 * * 1")],\n)'}>No schedule starts it. A loop in the project does, by a cron expression in UTC:</Empty>} columns={[
        { title: "next", cell: (one) => <When at={one.at} /> }, { title: "loop", cell: (one) => <Link to={href(["loops", one.loop])}>{one.loop}</Link> }, { title: "schedule", cell: (one) => <Code>{one.cron}</Code> }, { title: "but waits", cell: (one) => one.waits_because || "–", wide: true },
      ]} />
      {mine.flatMap(({ loop }) => loop.retrain.filter((t) => t.trigger !== "schedule").map((t) => <Text key={`${loop.name} ${t.trigger}`} size="sm" c="dimmed">{loop.name} also runs it on {call(t.trigger, t.params)}.</Text>))}
      <Twin>flyball loops schedule</Twin>
    </Panel>
  );
}
