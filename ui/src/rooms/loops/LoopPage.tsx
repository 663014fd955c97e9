import { SegmentedControl, Text } from "@mantine/core";
import { href, useView } from "../../address";
import { ask, useAll, useAsked } from "../../api/client";
import type { Alert, Deployment, Loop, LoopState, MonitoringWindow, RolloutSpec } from "../../api/types";
import { call, count, lasted, moment, percent, plural, short, span } from "../../format";
import { Act, REASON } from "../../parts/act";
import { Code, Empty, Facts, Head, Link, Loaded, Panel, State, Twin, When, toneOf } from "../../parts/basics";
import { Table } from "../../parts/table";
import { Talk } from "../../parts/talk";
import { Circle } from "./Circle";
import { isAbout } from "./LoopCard";
import { stageOf, type Stage } from "./stage";
import { Timeline } from "./Timeline";
import { WhatIf } from "./WhatIf";
import { marksOf, metricOf, pointsOf } from "./timeline";

export function LoopPage({ name }: { name: string }) {
  const from = useAll({
    state: ask("loops/get", { name }), history: ask("loops/history", { name, limit: 400 }), windows: ask("monitoring/list_windows", { deployment: name, limit: 300 }),
    trainings: ask("loops/list_trainings", { name, limit: 200 }), alerts: ask("alerts/list", { state: "active", limit: 500 }), story: ask("simulations/story", { name, limit: 80 }), planned: ask("simulations/schedule", { loop: name, count: 1 }), deployments: ask("deployments/list", { limit: 1000 }),
  });
  const training = from.data?.state.training?.id ?? "";
  const steps = useAsked(ask("tracking/list_runs", { parent: training, limit: 50 }, training !== "")).data ?? [];
  const [view, setView] = useView({ show: "story", metric: "" });
  return (
    <>
      <Head title={name} trail={[["Loops", "#/loops"]]} tag={from.data ? <State of={from.data.state.state} /> : null} actions={from.data ? <Actions of={from.data.state} /> : null} />
      <Loaded from={from}>{({ state, history, windows, trainings, alerts, deployments, story, planned }) => {
        const deployment = deployments.find((d) => d.name === name);
        const metrics = [...new Set(windows.flatMap((w) => [...w.performance, ...w.estimated].map((m) => m.name)))];
        const metric = metrics.includes(view.metric) ? view.metric : metricOf(windows);
        const points = pointsOf(windows, metric);
        return (
          <>
            {state.loop.paused ? <p className="note">Paused: {state.loop.paused}</p> : null}
            <div className="grid even">
              <Panel className="c5 middle">
                <Circle name={name} stage={stageOf(state, training ? steps : [])} isMoving={state.state === "training" || state.state === "rolling out"} title={deployment ? `version ${deployment.champion}` : "no version yet"}
                  under={state.state} notes={notes(state, windows, alerts.filter((a) => isAbout(a, name)), deployment)} />
              </Panel>
              <Panel className="c7" title={metric ? `${metric} of the live predictions` : "Quality"} aside={metrics.length > 1 ? <SegmentedControl data={metrics.slice(0, 5)} value={metric} onChange={(m) => setView({ metric: m })} /> : null}>
                {points.length ? (
                  <>
                    <Timeline metric={metric} points={points} marks={marksOf(history, trainings, windows)} />
                    <div className="legend"><span><i className="swatch" style={{ background: "var(--accent)" }} />measured, with its 95 % interval</span>{points.some((p) => p.estimate !== null) ? <span>- - estimated without labels</span> : null}</div>
                  </>
                ) : <Empty>No window has closed yet: the first one ends {span(state.loop.window_seconds)} after the first prediction.</Empty>}
              </Panel>
            </div>
            <SegmentedControl className="tabs tabs-after" value={view.show} onChange={(show) => setView({ show })} data={[{ value: "story", label: "Story" }, { value: "trainings", label: `Trainings (${trainings.length})` }, { value: "windows", label: "Windows" }, { value: "plan", label: "Plan" }, { value: "what-if", label: "Simulate" }]} />
            {view.show === "story" ? (
              <div className="stack"><Panel title="What was decided, and why">
                {planned[0] ? <Text size="sm" c="dimmed" mb="sm">By its schedule it looks again <When at={planned[0].at} /> ({planned[0].cron}){planned[0].waits_because ? `, but waits: ${planned[0].waits_because}` : ""}.</Text> : null}
                {story.length ? <ol className="story">{[...story].reverse().map((told, i) => (
                  <li key={i} style={{ "--dot": `var(--${toneOf(told.decision)})` }}><When at={told.at} /> <State of={told.decision} /><p>{told.because}{told.kind ? <span className="soft">; taken for {told.kind}</span> : null}</p>{told.sure ? <p className="soft small">how sure: {told.sure}</p> : null}{told.so ? <p className="small">→ {told.so}</p> : null}</li>
                ))}</ol> : <Empty>Nothing has been decided yet.</Empty>}
                <Twin>{`flyball loops why ${name}`}</Twin>
              </Panel><Talk about={`loops:/${name}`} /></div>
            ) : view.show === "trainings" ? (
              <Panel title="Trainings">
                <Table rows={trainings} id={(t) => t.id} empty={<Empty command={`flyball loops trigger ${name}`}>None yet. One is started when a trigger fires, or by hand:</Empty>} columns={[
                  { title: "when", cell: (t) => <Link to={href(["runs", t.id])}>{moment(t.created)}</Link> }, { title: "because", cell: (t) => (t.error ? `${t.reason}\n${t.error}` : t.reason), wide: true },
                  { title: "trigger", cell: (t) => t.trigger || t.kind }, { title: "state", cell: (t) => <State of={t.state} /> }, { title: "version", number: true, cell: (t) => t.version ?? "–" },
                  { title: "core time", number: true, cell: (t) => (t.core_seconds === null ? "–" : lasted(t.core_seconds)) },
                ]} />
              </Panel>
            ) : view.show === "windows" ? (
              <Panel title="Windows" aside={<Link to={href(["monitoring", name])}>Monitoring</Link>}><Windows of={windows} /></Panel>
            ) : view.show === "what-if" ? (windows.length ? <WhatIf loop={state.loop} trainings={trainings} /> : <Empty command={`flyball loops simulate ${name}`}>Another policy is tried on the recorded past, and nothing is recorded yet. Once a window has closed:</Empty>)
              : <Panel title="Plan"><Plan of={state.loop} applied={state.applied} /></Panel>}
          </>
        );
      }}</Loaded>
    </>
  );
}

function Actions({ of: { loop } }: { of: LoopState }) {
  const { name } = loop;
  return (
    <>
      {loop.paused ? <Act verb="loops/resume" takes={{ name }} twin={`flyball loops resume ${name}`}>Resume</Act>
        : <Act verb="loops/pause" takes={{ name }} twin={`flyball loops pause ${name}`} question={`Pause ${name}? It starts no training and no rollout by itself until it is resumed; what is served goes on.`} text={REASON}>Pause</Act>}
      <Act verb="loops/trigger" takes={{ name }} twin={`flyball loops trigger ${name}`} question={`Train ${name} now, whatever its cool-down and budget say?`} text={REASON}>Train now</Act>
    </>
  );
}

function notes(state: LoopState, windows: MonitoringWindow[], alerts: Alert[], deployment: Deployment | undefined): Partial<Record<Stage, string>> {
  const newest = windows[0];
  return {
    Train: state.training ? state.training.state : "",
    Evaluate: "", Gate: plural(state.loop.gates.length, "gate"),
    Deploy: deployment?.rollout ? `v${deployment.rollout.to_version} at ${deployment.rollout.percent} %` : deployment ? `v${deployment.champion}` : "",
    Predict: newest ? count(newest.predictions) : "",
    Monitor: alerts.length ? plural(alerts.length, "alert") : newest?.drift ? `${percent(newest.drift.share)} drifted` : "",
    Decide: state.last_decision?.decision ?? "",
  };
}

export function Windows({ of }: { of: MonitoringWindow[] }) {
  return (
    <Table rows={of} id={(w) => w.start} empty={<Empty>No window has closed yet: the first one ends a window's length after the first prediction.</Empty>} columns={[
      { title: "from", cell: (w) => <When at={w.start} /> }, { title: "predictions", number: true, cell: (w) => count(w.predictions) }, { title: "labelled", number: true, cell: (w) => count(w.labelled) },
      { title: "versions", cell: (w) => Object.keys(w.versions).join(", ") },
      { title: "performance", cell: (w) => w.performance.map((m) => `${m.name} ${m.value === null ? "–" : m.value.toFixed(3)}`).join("\n") || "–" },
      { title: "findings", wide: true, cell: (w) => (w.findings.length ? w.findings.join("\n") : <span className="soft">nothing</span>) },
    ]} />
  );
}

function rollout({ strategy, steps, hold_seconds, min_predictions }: RolloutSpec): string {
  return strategy === "canary" ? `canary: ${steps.join(" → ")} %, each for ${span(hold_seconds)} and ${count(min_predictions)} predictions` : strategy;
}

function Plan({ of: plan, applied }: { of: Loop; applied: string }) {
  return (
    <>
      <Facts of={{
        pipeline: call(plan.pipeline, plan.params), "retrain on": plan.retrain.map((t) => call(t.trigger, t.params)).join("\n"), gates: plan.gates.map((g) => call(g.gate, g.params)).join("\n"),
        monitors: plan.monitors.map((m) => call(m.monitor, m.params)).join("\n"), policies: plan.policies.map((p) => call(p.policy, p.params)).join("\n"), rollout: rollout(plan.rollout), window: span(plan.window_seconds), "truth is waited for": span(plan.label_delay_seconds),
        "cool-down": span(plan.cooldown_seconds), "trainings a week": `at most ${plan.max_trainings_per_week}`, declared: <>in {plan.module || "–"}, applied <When at={applied} /></>, code: plan.code ? <Code>{short(plan.code)}</Code> : "–",
      }} />
      <Twin>{`flyball loops show ${plan.name}`}</Twin>
      <Twin>{`flyball loops simulate ${plan.name}`}</Twin>
    </>
  );
}
