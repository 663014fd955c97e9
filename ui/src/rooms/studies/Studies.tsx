// Searches for the best params: their trials, what each param goes with, and the best one.

import type { ViewProps } from "../../App";
import { go, href } from "../../address";
import { ask, useAll } from "../../api/client";
import type { Run, Trial } from "../../api/types";
import { Parallel } from "../../charts/Parallel";
import { between, call, lasted, percent, plain, value } from "../../format";
import { Act } from "../../parts/act";
import { Code, Empty, Facts, Head, Link, Loaded, Panel, State, Twin, When } from "../../parts/basics";
import { Table } from "../../parts/table";
import { Talk } from "../../parts/talk";
import { colourOf } from "../../theme";
import { weights } from "../runs/stats";

export default function Studies({ parts }: ViewProps) {
  return parts[0] ? <StudyPage name={parts[0]} /> : <StudyList />;
}

function StudyList() {
  const from = useAll({ studies: ask("studies/list", { limit: 200 }) });
  return (
    <>
      <Head title="Studies" under="Searches for the params with which a pipeline does best." />
      <Loaded from={from}>{({ studies }) => (
        <Panel>
          <Table rows={studies} id={(s) => s.name} first={60} empty={<Empty command="flyball tune PIPELINE METRIC">No study yet. One tries params of a pipeline, many trials at once:</Empty>} columns={[
            { title: "study", cell: (s) => <Link to={href(["studies", s.name])}>{s.name}</Link> }, { title: "of", cell: (s) => s.target }, { title: "wants", cell: (s) => s.objectives.map((one) => `${one.direction} ${one.metric}`).join(", "), wide: true }, { title: "sampler", cell: (s) => <Code>{s.sampler}</Code> }, { title: "begun", cell: (s) => <When at={s.created} /> },
          ]} />
          <Twin>flyball studies list</Twin>
        </Panel>
      )}</Loaded>
    </>
  );
}

function StudyPage({ name }: { name: string }) {
  const from = useAll({ study: ask("studies/get", { name }), trials: ask("studies/trials", { study: name, limit: 1000 }), best: ask("studies/best", { study: name }) });
  return (
    <Loaded from={from}>{({ study, trials, best }) => {
      const metric = study.objectives[0]?.metric ?? "";
      const params = Object.keys(study.space);
      const done = trials.filter((trial) => trial.values.length);
      const found = weights(done.map((trial) => ({ params: trial.params, metrics: { [metric]: trial.values[0] ?? null } }) as unknown as Run), metric);
      return (
        <>
          <Head title={name} trail={[["Studies", "#/studies"]]} under={`${study.objectives.map((one) => `${one.direction} ${one.metric}`).join(", ")} of ${study.target}`} actions={<Act verb="studies/delete" takes={{ name }} twin={`flyball studies delete ${name}`} question={`Remove the study ${name} with its trials? Runs stay.`} onDone={() => go(href(["studies"]))}>Delete</Act>} />
          <div className="grid">
            <div className="c8 stack">
              {done.length > 1 ? <Panel title="Drag along an axis to keep the trials that pass there"><Parallel axes={[...params.map((key) => ({ key, values: done.map((trial) => axis(trial.params[key])) })), ...study.objectives.map((one, i) => ({ key: one.metric, values: done.map((trial) => trial.values[i] ?? null) }))]} colours={done.map((_, i) => colourOf(i))} labels={done.map((trial) => `trial ${trial.number}`)} /></Panel> : null}
              <Panel title="Trials"><Trials of={trials} best={best} metric={metric} /><Twin>{`flyball studies show ${name}`}</Twin></Panel>
            </div>
            <div className="c4 stack">
              <Panel title="The best">{best.length ? <>{best.map((trial) => <Facts key={trial.number} of={{ trial: trial.number, [metric]: value(trial.values[0]), ...Object.fromEntries(Object.entries(trial.params).map(([key, given]) => [key, plain(given)])) }} />)}<Twin>{`flyball studies best ${name}`}</Twin></> : <Empty>No trial has ended yet.</Empty>}</Panel>
              <Panel title={`What goes with ${metric}`}><Table rows={found} id={(w) => w.param} empty={<Empty>No param varies enough over the trials.</Empty>} columns={[{ title: "param", cell: (w) => w.param }, { title: "strength", cell: (w) => <span className="took left"><i style={{ width: `${70 * w.strength}px` }} />{percent(w.strength)}</span> }]} /></Panel>
              <Panel title="Facts"><Facts of={{ sampler: study.sampler, pruner: study.pruner, seed: study.seed, fixed: call("", study.fixed), begun: <When at={study.created} /> }} /></Panel>
              <Talk about={`jobs:/${name}`} />
            </div>
          </div>
        </>
      );
    }}</Loaded>
  );
}

const axis = (given: unknown): number | string | null => (typeof given === "number" ? given : given == null ? null : plain(given));

function Trials({ of, best, metric }: { of: Trial[]; best: Trial[]; metric: string }) {
  const chosen = new Set(best.map((trial) => trial.number));
  return (
    <Table rows={[...of].reverse()} id={(t) => t.number} first={30} empty={<Empty>No trial yet.</Empty>} columns={[
      { title: "trial", number: true, cell: (t) => (t.run ? <Link to={href(["runs", t.run])}>{t.number}</Link> : t.number) }, { title: "state", cell: (t) => <>{chosen.has(t.number) ? <State of="champion">best</State> : <State of={t.state} />}</> }, { title: metric, number: true, cell: (t) => t.values.map(value).join(", ") || "–" },
      { title: "params", wide: true, cell: (t) => t.error || Object.entries(t.params).map(([key, given]) => `${key}=${plain(given)}`).join(", ") }, { title: "took", number: true, cell: (t) => (t.ended && t.ended !== t.started ? lasted(between(t.started, t.ended)) : "–") },
    ]} />
  );
}
