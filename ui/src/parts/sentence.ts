// Events as sentences.

import type { Event } from "../api/types";
import { count, short, words } from "../format";

type Facts = Record<string, unknown>;
const text = (facts: Facts, key: string): string => (facts[key] == null ? "" : String(facts[key]));
const why = (facts: Facts): string => (facts.reason ? `: ${text(facts, "reason")}` : "");
const name = (subject: string): string => subject.replace(/^\w+:\//, "").replace(/([0-9a-z]{12})[0-9a-z]{8,}/g, "$1");

const errand = (f: Facts): string => ({ run: `a run of ${text(f, "about")}`, backfill: `a back-fill of ${text(f, "about")}`, profile: `a profile of ${text(f, "about")}`, clean: `a look through ${text(f, "about")}` })[text(f, "what")] ?? text(f, "about");

const SAID: Record<string, (facts: Facts, about: string) => string> = {
  "tracking.run_started": (f, a) => `${words(text(f, "kind") || "run")} run ${short(a)} of ${text(f, "experiment")} started`,
  "tracking.run_ended": (f, a) => `Run ${short(a)} ended: ${text(f, "state")}${f.error ? `, ${text(f, "error").split("\n")[0]}` : ""}`,
  "tracking.run_lost": (_, a) => `Nothing was heard of run ${short(a)} any more`,
  "data.dataset_declared": (_, a) => `Dataset ${a} was declared`,
  "data.snapshot_taken": (f) => `Snapshot of ${text(f, "dataset")}: ${text(f, "summary")}`,
  "features.view_declared": (f, a) => `Feature view ${a}, version ${text(f, "version")}, was declared`,
  "registry.version_registered": (f) => `Version ${text(f, "version")} of ${text(f, "model")} was registered`,
  "registry.verdict_recorded": (f, a) => (f.passed ? `${a} passed its gates` : `${a} was held back by ${(f.held_by as string[] | undefined)?.join(", ") || "its gates"}`),
  "registry.stage_changed": (f) => `Version ${text(f, "version")} of ${text(f, "model")} went from ${text(f, "previous")} to ${text(f, "stage")}${why(f)}`,
  "registry.alias_moved": (f) => `Alias ${text(f, "alias")} of ${text(f, "model")} points at version ${text(f, "to") || "none"}${why(f)}`,
  "pipelines.errand_asked": (f) => `${text(f, "by")} asked for ${errand(f)}`,
  "pipelines.errand_finished": (f) => `What was asked for is done: ${errand(f)}`,
  "pipelines.errand_failed": (f) => `What was asked for failed: ${errand(f)}`,
  "pipelines.errand_paused": (f) => `Paused: ${errand(f)}`,
  "pipelines.errand_cancelled": (f) => `Stopped: ${errand(f)}`,
  "automl.search_started": (f, a) => `Search ${a} for the best model of ${text(f, "label")} in ${text(f, "dataset")} was asked for`,
  "automl.search_finished": (f, a) => `Search ${a} for the best model of ${text(f, "label")} came to its end`,
  "automl.search_failed": (_, a) => `Search ${a} failed`,
  "automl.search_cancelled": (_, a) => `Search ${a} was stopped`,
  "registry.commented": (f, a) => `${text(f, "by")} said something about ${a}`,
  "loops.applied": (_, a) => `Loop ${a} was handed over`,
  "loops.decided": (f) => `Decided: ${text(f, "decision")}, because ${text(f, "reason")}`,
  "loops.training_started": (f) => `Training started: ${text(f, "reason")}`,
  "loops.training_ended": (f) => `Training ${text(f, "state")}${f.version ? `, version ${text(f, "version")}` : ""}${f.error ? `: ${text(f, "error")}` : ""}`,
  "loops.paused": (f, a) => `Loop ${a} was paused${why(f)}`,
  "loops.resumed": (_, a) => `Loop ${a} goes on`,
  "deployment.changed": (f, a) => `${a} is answered by version ${text(f, "champion")}${f.challenger ? `, and ${text(f, "percent")} % by version ${text(f, "challenger")}` : ""}${why(f)}`,
  "deployment.rollout_started": (f, a) => `Rollout of version ${text(f, "version")} to ${a} began at ${text(f, "percent")} %`,
  "deployment.rollout_advanced": (f, a) => `Rollout of version ${text(f, "version")} to ${a} went on to ${text(f, "percent")} %`,
  "deployment.promoted": (f, a) => `Version ${text(f, "version")} was promoted in ${a}${why(f)}`,
  "deployment.rolled_back": (f, a) => `${a} was rolled back${why(f)}`,
  "monitoring.window_examined": (f) => {
    const found = (f.findings as string[] | undefined) ?? [];
    return `Window from ${text(f, "start").slice(0, 10)} of ${text(f, "deployment")}: ${count(Number(f.predictions ?? 0))} predictions, ${found.length ? found[0] : "quiet"}`;
  },
  "alerts.opened": (f) => `Alert: ${text(f, "title")}`,
  "alerts.resolved": (f) => `Alert over: ${text(f, "title")}`,
  "alerts.acknowledged": (f) => `Alert acknowledged: ${text(f, "title")}`,
};

/** What happened, in words; an event of a kind that is not known here tells its name and facts. */
export function sentence(event: Event): string {
  return told(event).replace(/([0-9a-f]{12})[0-9a-f]{20,}/g, "$1…");
}

function told(event: Event): string {
  const say = SAID[event.kind];
  if (say) return say(event.facts, name(event.subject));
  const facts = Object.entries(event.facts).filter(([, v]) => v !== "" && v !== null && typeof v !== "object").slice(0, 4).map(([k, v]) => `${words(k)} ${String(v)}`);
  return [`${words(event.kind.split(".")[1] ?? event.kind)} ${name(event.subject)}`, facts.join(", ")].filter(Boolean).join(": ");
}
