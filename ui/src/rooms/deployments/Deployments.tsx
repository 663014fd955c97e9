import { Progress, Text } from "@mantine/core";
import type { ViewProps } from "../../App";
import { href } from "../../address";
import { ask, useAll, useAsked, type Asked } from "../../api/client";
import type { Deployment, Rollout } from "../../api/types";
import { count, lasted, percent, span, value, words } from "../../format";
import { Act, REASON } from "../../parts/act";
import { Empty, Facts, Figure, Head, Link, Loaded, Panel, State, Twin, When } from "../../parts/basics";
import { Table } from "../../parts/table";
import { Talk } from "../../parts/talk";
import { Examples } from "../models/TryIt";
import { Split } from "./Split";
import { quantile, trafficOf } from "./prometheus";

export default function Deployments({ parts }: ViewProps) {
  return parts[0] ? <DeploymentPage name={parts[0]} /> : <DeploymentList />;
}

const stands = (d: Deployment): React.ReactNode => (d.rollout ? <>version {d.rollout.to_version} at {d.rollout.percent} % <State of={d.rollout.state} /></> : "none");

function DeploymentList() {
  const from = useAll({ deployments: ask("deployments/list", { limit: 500 }) });
  return (
    <>
      <Head title="Deployments" under="What answers now, and what is being brought in." />
      <Loaded from={from}>{({ deployments }) => (
        <Panel>
          <Table rows={deployments} id={(d) => d.name} first={50} empty={<Empty command="flyball deployments deploy NAME MODEL/VERSION">Nothing is deployed yet. A loop deploys by itself; by hand:</Empty>} columns={[
            { title: "deployment", cell: (d) => <Link to={href(["deployments", d.name])}>{d.name}</Link> }, { title: "model", cell: (d) => <Link to={href(["models", d.model])}>{d.model}</Link> }, { title: "champion", number: true, cell: (d) => <Link to={href(["models", d.model, d.champion])}>{d.champion}</Link> },
            { title: "rollout", cell: stands }, { title: "changed", cell: (d) => <When at={d.updated} /> },
          ]} />
          <Twin>flyball deployments list</Twin>
        </Panel>
      )}</Loaded>
    </>
  );
}

const askText = (path: string): Asked<string> => ({ queryKey: ["serving", path], queryFn: async ({ signal }) => {
  const answer = await fetch(path, { signal });
  return answer.ok ? answer.text() : "";
}, staleTime: 5000 });

interface Example {
  example: { rows: Record<string, unknown>[] };
}
const askExample = (name: string): Asked<Record<string, unknown> | null> => ({
  queryKey: ["serving", name, "example"], queryFn: async () => {
    const answer = await fetch(`serving/predict/${encodeURIComponent(name)}`);
    return answer.ok ? ((await answer.json()) as Example).example.rows[0] ?? null : null;
  },
});

function DeploymentPage({ name }: { name: string }) {
  const from = useAll({
    found: ask("deployments/get", { name }), history: ask("deployments/history", { name, limit: 200 }), rollouts: ask("deployments/list_rollouts", { name, limit: 100 }),
    windows: ask("monitoring/list_windows", { deployment: name, limit: 60 }), loops: ask("loops/list", { limit: 1000 }),
  });
  const isThere = Boolean(useAsked(askText("serving/url")).data);
  const metrics = useAsked({ ...askText("serving/metrics"), enabled: isThere }).data ?? "";
  const example = useAsked({ ...askExample(name), enabled: isThere }).data;
  return (
    <Loaded from={from}>{({ found, history, rollouts, windows, loops }) => {
      const traffic = trafficOf(metrics, name);
      const newest = windows[0];
      const before = history.find((h) => h.champion !== found.champion)?.champion;
      return (
        <>
          <Head title={name} trail={[["Deployments", "#/deployments"]]} under={<>model <Link to={href(["models", found.model])}>{found.model}</Link>{loops.some((l) => l.loop.name === name) ? <>, kept by its <Link to={href(["loops", name])}>loop</Link></> : null}, <Link to={href(["monitoring", name])}>monitoring</Link></>} actions={<Actions of={found} before={before} />} />
          <div className="figures figures-top">
            <Figure label="Champion" under={<Link to={href(["models", found.model, found.champion])}>its card</Link>}>version {found.champion}</Figure>
            <Figure label="Newest window" under={newest ? <>from <When at={newest.start} /></> : "none yet"}>{newest ? count(newest.predictions) : "–"}</Figure>
            <Figure label="Requests since start" under={`${count(traffic.predictions)} predictions`}>{count(traffic.requests)}</Figure>
            <Figure label="Latency, median and p99" under="of the model server">{latency(traffic.buckets)}</Figure>
            <Figure label="Errors" tone={traffic.errors ? "bad" : undefined} under={`${count(traffic.dropped)} log rows dropped`}>{traffic.requests ? percent(traffic.errors / traffic.requests, 1) : "–"}</Figure>
          </div>
          <div className="grid">
            <div className="c8 stack">
              {found.rollout ? <Panel title={`Rollout of version ${found.rollout.to_version}`} aside={<State of={found.rollout.state} />}><Under of={found.rollout} /></Panel> : null}
              <Panel title="Who answered, window by window"><Split windows={windows} /></Panel>
              <Panel title="Rollouts">
                <Table rows={rollouts} id={(r) => r.id} empty={<Empty>None yet: versions were deployed at once.</Empty>} columns={[
                  { title: "version", number: true, cell: (r) => <Link to={href(["models", r.model, r.to_version])}>{r.to_version}</Link> }, { title: "state", cell: (r) => <State of={r.state} /> }, { title: "began, ended", cell: (r) => <><When at={r.started} /><br /><When at={r.ended} /></> },
                  { title: "evidence", cell: (r) => <Evidence of={r} /> }, { title: "because", cell: (r) => r.reason, wide: true },
                ]} />
              </Panel>
              <Panel title="History">
                <Table rows={history} id={(h) => h.generation} first={12} empty={<Empty>None.</Empty>} columns={[{ title: "generation", number: true, cell: (h) => h.generation }, { title: "since", cell: (h) => <When at={h.at} /> }, { title: "champion", number: true, cell: (h) => h.champion }, { title: "challenger", cell: (h) => (h.challenger === null ? "–" : `version ${h.challenger} at ${h.percent} %`) }, { title: "because", cell: (h) => h.reason, wide: true }]} />
                <Twin>{`flyball deployments show ${name}`}</Twin>
              </Panel>
              <Talk about={`deployments:/${name}`} />
            </div>
            <div className="c4 stack">
              <Panel title="Facts"><Facts of={{ generation: found.generation, created: <When at={found.created} />, changed: <When at={found.updated} />, "sticky key": found.sticky_key, rollout: found.rollout ? "under way" : "none" }} /></Panel>
              <Panel title="Ask it" aside={<Link to={href(["models", found.model, found.champion], { tab: "try" })}>Try it here</Link>}>{example ? <Examples deployment={name} row={example} /> : <Empty command="flyball up">The model server does not answer; it starts with the workspace:</Empty>}</Panel>
            </div>
          </div>
        </>
      );
    }}</Loaded>
  );
}

function latency(buckets: [number, number][]): string {
  const [middle, high] = [quantile(buckets, 0.5), quantile(buckets, 0.99)];
  return middle === null || high === null ? "–" : `${lasted(middle)} / ${lasted(high)}`;
}

function Actions({ of: { name, champion, rollout }, before }: { of: Deployment; before: number | undefined }) {
  const isPaused = rollout?.state === "paused";
  const question = rollout ? `End the rollout of version ${rollout.to_version}, so that version ${champion} answers all again?` : `Take version ${champion} back, so that version ${before} answers all again?`;
  return (
    <>
      {rollout ? <Act verb="deployments/promote" takes={{ name }} twin={`flyball deployments promote ${name}`} question={`Let version ${rollout.to_version} answer all now?`} text={REASON}>Promote now</Act> : null}
      {rollout ? isPaused ? <Act verb="deployments/resume" takes={{ name }} twin={`flyball deployments resume ${name}`}>Resume rollout</Act> : <Act verb="deployments/pause" takes={{ name }} twin={`flyball deployments pause ${name}`}>Pause rollout</Act> : null}
      {rollout || before ? <Act verb="deployments/roll_back" takes={{ name }} twin={`flyball deployments rollback ${name}`} question={question} text={REASON} button={{ color: "red", variant: "light" }}>Roll back</Act> : null}
    </>
  );
}

function Under({ of }: { of: Rollout }) {
  const { spec } = of;
  return (
    <>
      <Progress.Root size={22} mb="sm"><Progress.Section value={of.percent} color="blue" aria-label={`Version ${of.to_version}: ${of.percent} %`}><Progress.Label>v{of.to_version}: {of.percent} %</Progress.Label></Progress.Section></Progress.Root>
      <Text size="sm" mb="xs">{spec.strategy}, steps {spec.steps.join(" → ")} %, each for {span(spec.hold_seconds)} and at least {count(spec.min_predictions)} predictions; it began <When at={of.started} />, this step <When at={of.step_started} />.</Text>
      <Evidence of={of} />
    </>
  );
}

/** What the two versions did side by side, and how likely such a difference is by chance. */
export function Evidence({ of: { evidence } }: { of: Rollout }) {
  const number = (key: string): number | null => (typeof evidence[key] === "number" ? (evidence[key] as number) : null);
  const kinds = [...new Set(Object.keys(evidence).flatMap((key) => /^p_value_(\w+)$/.exec(key)?.[1] ?? []))];
  if (!Object.keys(evidence).length) return <span className="soft">not enough was answered yet</span>;
  return (
    <table className="evidence">
      <thead><tr><td /><th scope="col">champion</th><th scope="col">new</th><th scope="col">p</th></tr></thead>
      <tbody>
        <tr><th scope="row">predictions</th><td>{value(number("champion_predictions"))}</td><td>{value(number("challenger_predictions"))}</td><td /></tr>
        {kinds.map((kind) => <tr key={kind}><th scope="row">{words(kind)}</th><td>{share(number(`champion_${kind}`))}</td><td>{share(number(`challenger_${kind}`))}</td><td className={(number(`p_value_${kind}`) ?? 1) < 0.05 ? "bad" : ""}>{value(number(`p_value_${kind}`))}</td></tr>)}
      </tbody>
    </table>
  );
}

const share = (given: number | null): string => (given === null ? "–" : percent(given, 1));
