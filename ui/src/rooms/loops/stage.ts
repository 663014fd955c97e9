// Where on its circle a loop stands.

import type { LoopState, Run } from "../../api/types";

export const STAGES = ["Data", "Validate", "Features", "Train", "Evaluate", "Gate", "Deploy", "Predict", "Monitor", "Decide"] as const;
export type Stage = (typeof STAGES)[number];

const STEPS: [RegExp, Stage][] = [
  [/valid|check|clean/, "Validate"], [/feature|training_set|join|split/, "Features"], [/eval|score/, "Evaluate"], [/regist|judge|gate/, "Gate"],
  [/snapshot|load|ingest|read/, "Data"], [/train|fit/, "Train"],
];

export const stageOfStep = (step: string): Stage => STEPS.find(([pattern]) => pattern.test(step.toLowerCase()))?.[1] ?? "Train";

/** The stage that a loop is in, given the steps of the run under way, the newest first. */
export function stageOf(state: Pick<LoopState, "state" | "training">, steps: readonly Pick<Run, "name" | "state">[] = []): Stage {
  if (state.state === "paused") return "Decide";
  if (state.state === "rolling out") return "Deploy";
  if (state.state === "waiting for a first version") return "Train";
  if (state.state !== "training") return "Monitor";
  if (state.training?.kind === "judge") return "Gate";
  const running = steps.find((step) => step.state === "running") ?? steps[0];
  return running ? stageOfStep(running.name) : "Data";
}

/** What people call the state of a loop at a glance. */
export function health(state: Pick<LoopState, "state">, alerts: number, approvals: number): { word: string; tone: string } {
  if (approvals) return { word: "waiting for a person", tone: "warning" };
  if (state.state === "training") return { word: "retraining", tone: "training" };
  if (state.state === "rolling out" || state.state === "paused") return { word: state.state, tone: state.state };
  if (state.state !== "watching") return { word: state.state, tone: "warning" };
  return alerts ? { word: "watching an alert", tone: "warning" } : { word: "healthy", tone: "healthy" };
}
