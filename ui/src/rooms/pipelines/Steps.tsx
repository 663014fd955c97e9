import { CopyButton, Text } from "@mantine/core";
import { lazy, Suspense, useMemo } from "react";
import { href } from "../../address";
import { ask, useAll } from "../../api/client";
import type { Run } from "../../api/types";
import { lasted } from "../../format";
import { Empty, Link, Loaded, State, Waiting } from "../../parts/basics";
import { Table } from "../../parts/table";
import { CACHE_WORD, stepsOf, type StepShown } from "./steps";

const Graph = lazy(() => import("../../charts/Graph"));
const COLOUR: Record<string, string> = { finished: "var(--good)", running: "var(--lively)", failed: "var(--bad)", lost: "var(--warn)", cancelled: "var(--warn)" };

export function Steps({ run, steps }: { run: Run; steps: Run[] }) {
  const pipeline = run.tags.pipeline ?? run.name;
  const names = [...new Set(steps.filter((step) => step.kind === "step").map((step) => step.name))];
  const from = useAll(Object.fromEntries(names.map((step) => [step, ask("step_cache/latest", { pipeline, step })])));
  return <Loaded from={from}>{(kept) => <Drawn {...stepsOf(steps, kept)} pipeline={pipeline} />}</Loaded>;
}

/** The code of a pipeline is where its project is, and so is the command that runs it again. */
function Copied({ text }: { text: string }) {
  return <CopyButton value={text}>{({ copied, copy }) => <button type="button" className="linkish" title={text} onClick={copy}>{copied ? "copied" : "copy command"}</button>}</CopyButton>;
}

function Drawn({ steps, isOrderOnly, pipeline }: { steps: StepShown[]; isOrderOnly: boolean; pipeline: string }) {
  const [boxes, arrows] = useMemo(() => [
    steps.map(({ run, seconds, cache }) => ({ id: run.name, title: run.name, note: [CACHE_WORD[cache] ?? run.state, seconds === null || cache === "hit" ? "" : lasted(seconds)].filter(Boolean).join(", "), colour: COLOUR[run.state], to: href(["runs", run.id]) })),
    steps.flatMap(({ run, after }) => after.map((name) => ({ from: name, to: run.name }))),
  ], [steps]);
  if (!steps.length) return <Empty command="flyball run PIPELINE">It has no steps.</Empty>;
  const most = Math.max(...steps.map((step) => (step.cache === "hit" ? 0 : step.seconds ?? 0))) || 1;
  return (
    <>
      <Suspense fallback={<Waiting />}><Graph boxes={boxes} arrows={arrows} label={`Steps: ${boxes.map((box) => box.title).join(", ")}`} /></Suspense>
      {isOrderOnly ? <Text size="xs" c="dimmed" mt={6}>The steps stand in the order in which they began.</Text> : null}
      <Table rows={steps} id={(s) => s.run.id} first={60} columns={[
        { title: "step", cell: (s) => <Link to={href(["runs", s.run.id])}>{s.run.name}</Link> }, { title: "state", cell: (s) => <State of={s.run.state} /> },
        { title: "cache", cell: (s) => <State of={s.cache}>{CACHE_WORD[s.cache] ?? "–"}</State> }, { title: "why", cell: (s) => s.why, wide: true },
        { title: "took", number: true, cell: (s) => (s.seconds === null ? "–" : <span className="took"><i style={{ width: `${(70 * (s.cache === "hit" ? 0 : s.seconds)) / most}px` }} />{lasted(s.seconds)}</span>) },
        { title: "again from here", cell: (s) => <Copied text={`flyball run ${pipeline} --from ${s.run.name}`} /> },
        { title: "log", cell: (s) => <Link to={href(["runs", s.run.id], { tab: "logs" })}>log</Link> },
      ]} />
    </>
  );
}
