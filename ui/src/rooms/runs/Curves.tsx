// Metric curves of one run or of several, with the same controls everywhere.

import { SegmentedControl, Select, Slider, Switch, Text } from "@mantine/core";
import { useMemo } from "react";
import { useView } from "../../address";
import { ask, useAsked } from "../../api/client";
import type { Curve, Run } from "../../api/types";
import { Lines, type Line } from "../../charts/Lines";
import { smoothed } from "../../charts/smooth";
import { short, value } from "../../format";
import { colourOf } from "../../theme";

const MOST = 40, BUCKETS = 500;
type AxisName = "step" | "time" | "relative";

export const labelOf = (run: Run): string => run.name || short(run.id);

/** What each of several runs is called, by id; those of the same name carry the end of their id, too. */
export function labelsOf(runs: readonly Run[]): Map<string, string> {
  const names = runs.map(labelOf);
  return new Map(runs.map((run, i) => [run.id, names.indexOf(names[i]!) === names.lastIndexOf(names[i]!) ? names[i]! : `${names[i]} ${run.id.slice(-4)}`]));
}

export function Curves({ runs, keys, isSystem = false }: { runs: Run[]; keys: string[]; isSystem?: boolean }) {
  const [view, setView] = useView({ smooth: "0", log: "", axis: isSystem ? "relative" : "step", only: "" });
  const shown = keys.filter((key) => key.includes(view.only)).slice(0, MOST);
  return (
    <>
      <div className="toolbar">
        {keys.length > 6 ? <Select label="Metric" clearable searchable data={keys} value={view.only || null} onChange={(only) => setView({ only: only ?? "" })} /> : null}
        <div><Text size="xs" fw={500} mb={4}>Axis</Text><SegmentedControl data={["step", "relative", "time"]} value={view.axis} onChange={(axis) => setView({ axis })} /></div>
        <div className="slider"><Text size="xs" fw={500} mb={8}>Smoothing</Text><Slider aria-label="Smoothing" thumbLabel="Smoothing" size="sm" min={0} max={0.98} step={0.02} defaultValue={Number(view.smooth)} onChangeEnd={(v) => setView({ smooth: String(v) })} /></div>
        <Switch label="logarithmic" checked={view.log !== ""} onChange={(e) => setView({ log: e.currentTarget.checked ? "yes" : "" })} mb={6} />
      </div>
      <div className="curves">{shown.map((key) => <CurveOf key={key} name={key} runs={runs} axis={view.axis as AxisName} weight={Number(view.smooth)} isLog={view.log !== ""} />)}</div>
      {keys.length > MOST ? <Text size="sm" c="dimmed">These are {MOST} of {keys.length} metrics; choose one above.</Text> : null}
    </>
  );
}

function CurveOf({ name, runs, axis, weight, isLog }: { name: string; runs: Run[]; axis: AxisName; weight: number; isLog: boolean }) {
  const given = useAsked(ask("tracking/chart", { runs: runs.map((run) => run.id), key: name, buckets: BUCKETS, axis }));
  const lines = useMemo(() => linesOf(given.data ?? [], runs, axis, weight, isLog), [given.data, runs, axis, weight, isLog]);
  if (given.data && !given.data.some((curve) => curve.steps.length > 1)) return <Single name={name} curves={given.data} runs={runs} />;
  return (
    <figure className="curve">
      <h3>{name}</h3>
      {given.data ? <Lines lines={lines} label={`${name} by ${axis} of ${runs.length} runs`} isTime={axis === "time"} isLog={isLog} sync="curves" unit={axis === "relative" ? "seconds" : ""} /> : <div className="curve-blank" />}
    </figure>
  );
}

/** A metric that was logged once is a bar, not a curve. */
function Single({ name, curves, runs }: { name: string; curves: Curve[]; runs: Run[] }) {
  const values = curves.map((curve) => curve.values[0] ?? null);
  const most = Math.max(...values.map((v) => Math.abs(v ?? 0))) || 1;
  return (
    <figure className="curve">
      <h3>{name}</h3>
      <div className="bars">{runs.slice(0, 30).map((run, i) => (
        <div key={run.id} className="bar-row"><span className="bar-name" title={labelOf(run)}>{labelOf(run)}</span><span className="bar-track"><i style={{ width: `${(100 * Math.abs(values[i] ?? 0)) / most}%`, background: colourOf(i) }} /></span><span className="n">{value(values[i])}</span></div>
      ))}</div>
    </figure>
  );
}

function linesOf(curves: Curve[], runs: Run[], axis: AxisName, weight: number, isLog: boolean): Line[] {
  const labels = labelsOf(runs);
  return curves.flatMap((curve, i) => {
    const run = runs[i];
    if (!run || !curve.steps.length) return [];
    const x = axis === "step" ? curve.steps : curve.times.map((microseconds) => microseconds / 1e6);
    const y = isLog ? curve.values.map((v) => (v !== null && v > 0 ? v : null)) : curve.values;
    const line: Line = { label: labels.get(run.id)!, colour: colourOf(i), x, y: smoothed(y, weight) };
    return weight > 0 && curves.length < 6 ? [{ ...line, label: `${line.label} raw`, y, isFaint: true }, line] : [line];
  });
}
