import { Group, Text, Title } from "@mantine/core";
import { ask, useAsked } from "../../api/client";
import type { Alert, LoopState } from "../../api/types";
import { extent, linear } from "../../charts/scale";
import { plural, value } from "../../format";
import { Link, State, When } from "../../parts/basics";
import { health } from "./stage";
import { metricOf, pointsOf } from "./timeline";

export const isAbout = (alert: Alert, loop: string): boolean => alert.subject === `deployments:/${loop}` || alert.subject === `loops:/${loop}`;

export function LoopCard({ state, alerts, to }: { state: LoopState; alerts: Alert[]; to: string }) {
  const { name, paused } = state.loop;
  const windows = useAsked(ask("monitoring/list_windows", { deployment: name, limit: 26 })).data ?? [];
  const deployment = useAsked(ask("deployments/list", { limit: 1000 })).data?.find((d) => d.name === name);
  const metric = metricOf(windows);
  const points = pointsOf(windows, metric).filter((p) => p.value !== null);
  const mine = alerts.filter((a) => isAbout(a, name));
  const { word, tone } = health(state, mine.length, 0);
  const last = state.last_decision;
  return (
    <section className="panel loop-card">
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <Title order={2} className="long"><Link to={to}>{name}</Link></Title>
        <State of={tone}>{word}</State>
      </Group>
      {paused ? <Text size="sm" c="dimmed" className="long">Paused: {paused}</Text> : null}
      <Group justify="space-between" align="flex-end" mt={6} wrap="nowrap">
        <div>
          <div className="big">{points.length ? value(points[points.length - 1]!.value) : "–"}</div>
          <Text size="xs" c="dimmed">{metric ? `${metric}, newest window` : "no window yet"}</Text>
        </div>
        <Spark values={points.map((p) => p.value!)} label={`${metric} over the last ${points.length} windows`} />
      </Group>
      <Text size="sm" mt={8}>{deployment ? `Version ${deployment.champion} answers.` : "Nothing is deployed yet."} {mine.length ? <Link to="#/alerts">{plural(mine.length, "alert")} active</Link> : null}</Text>
      {last ? <Text size="sm" c="dimmed" mt={4} lineClamp={2} className="long"><When at={last.at} /> {last.decision}: {last.reason}</Text> : <Text size="sm" c="dimmed" mt={4}>Nothing has been decided yet.</Text>}
    </section>
  );
}

export function Spark({ values, label, width = 150, height = 40 }: { values: number[]; label: string; width?: number; height?: number }) {
  if (values.length < 2) return null;
  const x = linear([0, values.length - 1], [2, width - 4]), y = linear(extent(values), [height - 4, 4]);
  return (
    <svg width={width} height={height} role="img" aria-label={label} className="spark">
      <path d={values.map((v, i) => `${i ? "L" : "M"}${x(i).toFixed(1)},${y(v).toFixed(1)}`).join("")} className="quality" />
      <circle cx={x(values.length - 1)} cy={y(values[values.length - 1]!)} r={3} className="quality-dot" />
    </svg>
  );
}
