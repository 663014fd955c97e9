// What a policy pays: the worth of the quality it brings, less the cost of its trainings.

import type { Reads, TriggerSpec } from "../../api/types";

export type Candidate = Reads["simulations/search"]["gives"][number];

export interface Prices {
  /** What a hundredth of the metric is worth in a week. */
  worth: number;
  cost: number;
  /** How much of the metric a model is assumed to lose in a day, where the past does not tell. */
  loss: number;
}

/** Mean age of the model in days where so many trainings are spread evenly over that time. */
const age = (trainings: number, days: number): number => days / (2 * (trainings + 1));

/** What a policy gains on the applied one or on what was recorded; assumed where the past does not tell; null if nothing is assumed either. */
export function gainOf(one: Candidate, present: Candidate | undefined, { loss }: Prices, weeks: number): number | null {
  if (one.gain !== null) return one.gain;
  return loss && present ? loss * (age(present.trainings, 7 * weeks) - age(one.trainings, 7 * weeks)) : null;
}

export const worthOf = (one: Candidate, present: Candidate | undefined, prices: Prices, weeks: number): number =>
  100 * (gainOf(one, present, prices, weeks) ?? 0) * prices.worth * weeks - one.trainings * prices.cost;

/** The policy that pays best; of two that pay the same, the one that is applied or else the one with fewer trainings. */
export function best(found: readonly Candidate[], prices: Prices, weeks: number): Candidate | undefined {
  const present = found.find((one) => one.is_present);
  const worth = (one: Candidate) => worthOf(one, present, prices, weeks);
  return [...found].sort((a, b) => worth(b) - worth(a) || Number(b.is_present) - Number(a.is_present) || a.trainings - b.trainings)[0];
}

/** How many days between two trainings pay best, where a model loses evenly with age: half the loss of the wait is the cost of a training. */
export const bestWait = ({ worth, cost, loss }: Prices): number => Math.sqrt((2 * cost) / ((100 * worth * loss) / 7));

/** A trigger as one writes it in a project. */
export const triggerText = ({ trigger, params }: TriggerSpec): string => `${trigger}(${Object.entries(params).map(([key, given]) => `${key}=${JSON.stringify(given)}`).join(", ")})`;

/** What a project says to have that policy. */
export function inProject({ retrain, cooldown }: Pick<Candidate, "retrain" | "cooldown">): string {
  const seconds = /^([0-9.]+)s$/.exec(cooldown);
  const wait = seconds && Number(seconds[1]) && Number(seconds[1]) % 86_400 === 0 ? `${Number(seconds[1]) / 86_400}d` : cooldown;
  return `retrain=[${retrain.map((text) => `fb.on.${text}`).join(", ")}],\ncooldown="${wait}",`;
}
