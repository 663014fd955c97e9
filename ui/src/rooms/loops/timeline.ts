// What is marked on a loop's time line.

import type { Decision, MonitoringWindow, Training } from "../../api/types";
import { score, value } from "../../format";

export interface Mark {
  at: number;
  kind: "release" | "refused" | "rollback" | "retrain" | "drift";
  text: string;
  until?: number;
}
export interface Point {
  start: number;
  at: number;
  value: number | null;
  low: number | null;
  high: number | null;
  estimate: number | null;
  text: string;
}

const KINDS: Record<string, Mark["kind"]> = { promote: "release", deploy: "release", refuse: "refused", "roll back": "rollback" };
export const LANES: [Mark["kind"], string, string][] = [
  ["release", "released", "var(--good)"], ["refused", "refused", "var(--warn)"], ["rollback", "rolled back", "var(--bad)"], ["retrain", "retrained", "var(--lively)"], ["drift", "drifted", "var(--warn)"],
];

/** The metric that most windows were measured by. */
export function metricOf(windows: readonly MonitoringWindow[]): string {
  return windows.flatMap((w) => [...w.performance, ...w.estimated])[0]?.name ?? "";
}

export function pointsOf(windows: readonly MonitoringWindow[], metric: string): Point[] {
  return windows.map((w): Point => {
    const measured = w.performance.find((m) => m.name === metric);
    const estimate = w.estimated.find((m) => m.name === metric);
    const words = [measured ? score(measured) : "no truth known yet", estimate ? `estimated ${value(estimate.value)}` : "", `${w.predictions} predictions, ${w.labelled} labelled`, ...w.findings];
    return {
      start: Date.parse(w.start), at: Date.parse(w.end), value: measured?.value ?? null, low: measured?.low ?? null, high: measured?.high ?? null,
      estimate: estimate?.value ?? null, text: words.filter(Boolean).join("\n"),
    };
  }).sort((a, b) => a.at - b.at);
}

export function marksOf(history: readonly Decision[], trainings: readonly Training[], windows: readonly MonitoringWindow[]): Mark[] {
  const decided = history.flatMap((d): Mark[] => {
    const kind = KINDS[d.decision];
    return kind ? [{ at: Date.parse(d.at), kind, text: d.reason }] : [];
  });
  const trained = trainings.filter((t) => t.kind === "train").map((t): Mark => ({ at: Date.parse(t.created), kind: "retrain", text: `${t.reason}${t.version ? ` → version ${t.version}` : ""}` }));
  const drifted = windows.filter((w) => w.drift?.drifted).map((w): Mark => ({
    at: Date.parse(w.start), until: Date.parse(w.end), kind: "drift", text: w.drift!.columns.filter((c) => c.drifted).map((c) => c.cause || c.column).join("; "),
  }));
  return [...decided, ...trained, ...drifted].sort((a, b) => a.at - b.at);
}
