// What a policy pays: the worth of the quality it brings, less the cost of its trainings.

import type { LoopsCandidate as Candidate, TriggerSpec } from "../../api/types";

export interface Prices {
  /** What a hundredth of the metric is worth in a week. */
  worth: number;
  cost: number;
}

export const worthOf = (one: Candidate, { worth, cost }: Prices, weeks: number): number => 100 * (one.gain ?? 0) * worth * weeks - one.trainings * cost;

/** The policy that pays best; of two that pay the same, the one that is applied or else the one with fewer trainings. */
export function best(found: readonly Candidate[], prices: Prices, weeks: number): Candidate | undefined {
  return [...found].sort((a, b) => worthOf(b, prices, weeks) - worthOf(a, prices, weeks) || Number(b.is_present) - Number(a.is_present) || a.trainings - b.trainings)[0];
}

/** A trigger as one writes it in a project. */
export const triggerText = ({ trigger, params }: TriggerSpec): string => `${trigger}(${Object.entries(params).map(([key, given]) => `${key}=${JSON.stringify(given)}`).join(", ")})`;

/** What a project says to have that policy. */
export function inProject({ retrain, cooldown }: Pick<Candidate, "retrain" | "cooldown">): string {
  const seconds = /^([0-9.]+)s$/.exec(cooldown);
  const wait = seconds && Number(seconds[1]) && Number(seconds[1]) % 86_400 === 0 ? `${Number(seconds[1]) / 86_400}d` : cooldown;
  return `retrain=[${retrain.map((text) => `fb.on.${text}`).join(", ")}],\ncooldown="${wait}",`;
}
