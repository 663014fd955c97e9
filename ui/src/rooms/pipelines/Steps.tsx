import { Group, SegmentedControl, Text } from "@mantine/core";
import { lazy, Suspense, useMemo } from "react";
import { href, useView } from "../../address";
import { ask, useAll, useAsked } from "../../api/client";
import type { Run, StepReason } from "../../api/types";
import { lasted, short } from "../../format";
import { Act } from "../../parts/act";
import { Empty, Fault, Link, Loaded, State, Twin, Waiting } from "../../parts/basics";
import { useNow } from "../../parts/now";
import { Table } from "../../parts/table";
import { Gantt } from "./Gantt";
import { CACHE_WORD, stepsOf, type StepShown } from "./steps";

const Graph = lazy(() => import("../../charts/Graph"));
const COLOUR: Record<string, string> = { finished: "var(--good)", running: "var(--lively)", failed: "var(--bad)", lost: "var(--warn)", cancelled: "var(--warn)" };

export function Steps({ run, steps }: { run: Run; steps: Run[] }) {
  const pipeline = run.tags.pipeline ?? run.name;
  const from = useAll({ kept: ask("step_cache/latest_of", { pipeline }) });
  return <Loaded from={from}>{({ kept }) => <Drawn {...stepsOf(steps, Object.fromEntries(kept.map((one) => [one.step, one])))} pipeline={pipeline} run={run} />}</Loaded>;
}

function Drawn({ steps, isOrderOnly, pipeline, run }: { steps: StepShown[]; isOrderOnly: boolean; pipeline: string; run: Run }) {
  const [view, setView] = useView({ steps: "graph", step: "" });
  const now = useNow();
  const [boxes, arrows] = useMemo(() => [
    steps.map(({ run, seconds, cache }) => ({ id: run.name, title: run.name, note: [CACHE_WORD[cache] ?? run.state, seconds === null || cache === "hit" ? "" : lasted(seconds)].filter(Boolean).join(", "), colour: COLOUR[run.state], to: href(["runs", run.id]) })),
    steps.flatMap(({ run, after }) => after.map((name) => ({ from: name, to: run.name }))),
  ], [steps]);
  if (!steps.length) return run.state === "running" ? <Waiting /> : <Empty command="flyball run PIPELINE">It has no steps.</Empty>;
  const most = Math.max(...steps.map((step) => (step.cache === "hit" ? 0 : step.seconds ?? 0))) || 1;
  const chosen = steps.find((one) => one.run.name === view.step);
  const isKept = run.kind === "pipeline" && run.code !== "";
  return (
    <>
      <SegmentedControl mb="sm" value={view.steps} onChange={(shown) => setView({ steps: shown })} data={[{ value: "graph", label: "Graph" }, { value: "time", label: "Time" }]} aria-label="How steps are drawn" />
      {view.steps === "time" ? <Gantt steps={steps} now={now} /> : <Suspense fallback={<Waiting />}><Graph boxes={boxes} arrows={arrows} label={`Steps: ${boxes.map((box) => box.title).join(", ")}`} /></Suspense>}
      {isOrderOnly && view.steps === "graph" ? <Text size="xs" c="dimmed" mt={6}>The steps stand in the order in which they began.</Text> : null}
      <Table rows={steps} id={(s) => s.run.id} first={60} columns={[
        { title: "step", cell: (s) => <Link to={href(["runs", s.run.id])}>{s.run.name}</Link> }, { title: "state", cell: (s) => <State of={s.run.state} /> },
        { title: "cache", cell: (s) => <State of={s.cache}>{CACHE_WORD[s.cache] ?? "–"}</State> }, { title: "why", cell: (s) => s.why, wide: true },
        { title: "took", number: true, cell: (s) => (s.seconds === null ? "–" : <span className="took"><i style={{ width: `${(70 * (s.cache === "hit" ? 0 : s.seconds)) / most}px` }} />{lasted(s.seconds)}</span>) },
        { title: "", cell: (s) => <button type="button" className="linkish" aria-expanded={chosen === s} onClick={() => setView({ step: chosen === s ? "" : s.run.name })}>{chosen === s ? "less" : "log, diff, again"}</button> },
      ]} />
      {chosen ? <One key={chosen.run.id} of={chosen} run={run} pipeline={pipeline} isKept={isKept} /> : null}
    </>
  );
}

function One({ of: { run: step }, run, pipeline, isKept }: { of: StepShown; run: Run; pipeline: string; isKept: boolean }) {
  const name = step.name;
  return (
    <section className="step-more" aria-label={`Step ${name}`}>
      <div className="panel-head"><h2>{name}</h2>
        {isKept ? (
          <Group gap="xs">
            <Act verb="errands/run" takes={{ pipeline, again_from: [name], like: run.id }} twin={`flyball errands run ${pipeline} --from ${name} --like ${run.id}`} question={`Run ${pipeline} again from ${name}? A worker runs it and all behind it, with the code of this run.`}>Again from here</Act>
            <Act verb="errands/run" takes={{ pipeline, only: [name], like: run.id, use_cache: false }} twin={`flyball errands run ${pipeline} --step ${name} --no-cache --like ${run.id}`} question={`Run ${name} alone? What the steps before it gave is taken from what is kept.`}>This step alone</Act>
          </Group>
        ) : null}
      </div>
      <Why run={run.id} step={name} />
      <Log run={run.id} step={name} isRunning={step.state === "running"} />
    </section>
  );
}

function Why({ run, step }: { run: string; step: string }) {
  const from = useAsked(ask("reasons/why", { run, step }));
  return (
    <Loaded from={from}>{(found) => <>{found.slice(0, 1).map((one) => <Reason key={one.run} of={one} />)}<Twin>{`flyball runs why ${run} ${step}`}</Twin></>}</Loaded>
  );
}

function Reason({ of }: { of: StepReason }) {
  return (
    <>
      <Text size="sm" mb={6}>{of.reason || "It ran."}{of.compared_with ? <span className="soft"> Compared with run <Link to={href(["runs", of.compared_with])}>{short(of.compared_with)}</Link>.</span> : null}</Text>
      {of.changes.map((change) => (
        <div key={`${change.file} ${change.name}`}>
          <Text size="xs" c="dimmed">{change.file}: {change.name}</Text>
          <pre className="block diff" tabIndex={0}>{change.diff.split("\n").map((line, i) => <span key={i} className={line.startsWith("+") ? "good" : line.startsWith("-") ? "bad" : "soft"}>{`${line}\n`}</span>)}</pre>
        </div>
      ))}
    </>
  );
}

/** What a step prints, as it prints it. */
export function Log({ run, step, isRunning }: { run: string; step: string; isRunning: boolean }) {
  const { data, error } = useAsked({ ...ask("reasons/log", { run, step }), refetchInterval: () => (isRunning ? 1500 : false) });
  if (error) return <Fault of={error} />;
  return (
    <>
      <Text size="xs" c="dimmed" mt="sm" mb={4}>Log{isRunning ? ", as it comes" : ""}</Text>
      {data ? <pre className="block" tabIndex={0} ref={isRunning ? (element) => { if (element) element.scrollTop = element.scrollHeight; } : undefined}>{data}</pre> : <Text size="sm" c="dimmed">{isRunning ? "Nothing was printed yet." : "It printed nothing."}</Text>}
    </>
  );
}
