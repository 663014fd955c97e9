import { Badge, Text } from "@mantine/core";
import type { ViewProps } from "../../App";
import { href } from "../../address";
import { ask, useAll, useAsked } from "../../api/client";
import type { Run } from "../../api/types";
import { between, count, lasted, plain, short } from "../../format";
import { Empty, Head, Link, Loaded, Panel, State, Twin, When } from "../../parts/basics";
import { Table } from "../../parts/table";
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
  const from = useAll({ runs: ask("run_search/search", { filter: `attributes.kind = 'pipeline' AND tags.pipeline = ${quoted}`, limit: 200 }) });
  const newest = from.data?.runs.runs[0];
  const steps = useAsked(ask("tracking/list_runs", { parent: newest?.id ?? "", limit: 500 }, newest !== undefined)).data;
  return (
    <>
      <Head title={name} trail={[["Pipelines", "#/pipelines"]]} under="Run it again: steps that nothing changed for come from the cache." />
      <Loaded from={from}>{({ runs: { runs } }) => runs.length ? (
        <div className="stack">
          <Panel title="The last run" aside={<><State of={runs[0]!.state} /><Link to={href(["runs", runs[0]!.id])}>{short(runs[0]!.id)}</Link></>}>{steps ? <Steps run={runs[0]!} steps={[...steps].reverse()} /> : null}</Panel>
          <Panel title="Runs">
            <Table rows={runs} id={(r) => r.id} first={25} columns={[
              { title: "run", cell: (r) => <Link to={href(["runs", r.id])}>{short(r.id)}</Link> }, { title: "state", cell: (r) => <State of={r.state} /> }, { title: "started", cell: (r) => <When at={r.started} /> },
              { title: "params", wide: true, cell: (r) => Object.entries(r.params).map(([k, v]) => `${k}=${plain(v)}`).join(", ") }, { title: "took", number: true, cell: (r) => (r.ended ? lasted(between(r.started, r.ended)) : "–") },
            ]} />
          </Panel>
          <Twin>{`flyball run ${name}`}</Twin>
        </div>
      ) : <Empty command={`flyball run ${name}`}>No run of this pipeline yet.</Empty>}</Loaded>
    </>
  );
}
