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

export interface Span {
  name: string;
  state: string;
  start: number;
  end: number;
  isHit: boolean;
}

/** From when to when each step ran, in seconds since the first began. Where the clock stood still, each begins when those before it ended. */
export function spansOf(steps: readonly StepShown[], now: number): Span[] {
  const times = steps.map(({ run }) => Date.parse(run.started));
  const first = Math.min(...times), stood = steps.length > 1 && times.every((at) => at === first) && steps.every(({ run }) => run.ended !== null && Date.parse(run.ended) === first);
  const made = new Map<string, Span>();
  return steps.map(({ run, seconds, after, cache }, i) => {
    const isHit = cache === "hit";
    const start = stood ? Math.max(0, ...after.map((name) => made.get(name)?.end ?? 0)) : (times[i]! - first) / 1000;
    const span = { name: run.name, state: run.state, start, end: start + (isHit && stood ? 0 : seconds ?? Math.max(0, (now - times[i]!) / 1000)), isHit };
    made.set(run.name, span);
    return span;
  });
}
