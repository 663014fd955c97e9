// The steps of a run of a pipeline: which feeds which, how long each took.

import type { CachedStep, Run } from "../../api/types";
import { between } from "../../format";

export interface StepShown {
  run: Run;
  after: string[];
  seconds: number | null;
  cache: string;
  why: string;
}

/** Steps in the order in which they began. What feeds a step stands in its tag `after`, where it was recorded. */
export function stepsOf(runs: readonly Run[], kept: Record<string, CachedStep | null> = {}): { steps: StepShown[]; isOrderOnly: boolean } {
  const steps = runs.filter((run) => run.kind === "step").map((run): StepShown => {
    const took = run.ended ? between(run.started, run.ended) : null;
    const known = kept[run.name];
    // In virtual time a step begins and ends at the same moment; how long it took stands with what it gave.
    const seconds = took === 0 && known && known.run === run.parent ? known.seconds : took;
    return { run, after: (run.tags.after ?? "").split(", ").filter(Boolean), seconds, cache: run.tags.cache ?? "", why: run.tags.why ?? "" };
  });
  const isOrderOnly = steps.length > 1 && steps.every((step) => !step.after.length);
  return { steps: isOrderOnly ? steps.map((step, i) => ({ ...step, after: i ? [steps[i - 1]!.run.name] : [] })) : steps, isOrderOnly };
}

export const CACHE_WORD: Record<string, string> = { hit: "from the cache", miss: "ran", off: "runs always" };
