// What of the params goes with a metric, over some runs.

import type { Run } from "../../api/types";
import { plain } from "../../format";

function ranks(values: number[]): number[] {
  const order = values.map((v, i) => [v, i] as const).sort((a, b) => a[0] - b[0]);
  const out = new Array<number>(values.length);
  for (let i = 0; i < order.length;) {
    let j = i;
    while (j + 1 < order.length && order[j + 1]![0] === order[i]![0]) j++;
    for (let k = i; k <= j; k++) out[order[k]![1]] = (i + j) / 2;
    i = j + 1;
  }
  return out;
}

const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Spearman's rank correlation; null where one of the two never varies. */
export function rankCorrelation(x: number[], y: number[]): number | null {
  if (x.length < 3) return null;
  const [a, b] = [ranks(x), ranks(y)];
  const [ma, mb] = [mean(a), mean(b)];
  let ab = 0, aa = 0, bb = 0;
  for (let i = 0; i < a.length; i++) {
    ab += (a[i]! - ma) * (b[i]! - mb);
    aa += (a[i]! - ma) ** 2;
    bb += (b[i]! - mb) ** 2;
  }
  return aa && bb ? ab / Math.sqrt(aa * bb) : null;
}

/** The share of a metric's variance that lies between the values of a choice (eta squared). */
export function shareBetween(groups: string[], y: number[]): number | null {
  const all = mean(y);
  const total = y.reduce((sum, v) => sum + (v - all) ** 2, 0);
  if (y.length < 3 || !total) return null;
  const by = new Map<string, number[]>();
  groups.forEach((group, i) => by.set(group, [...(by.get(group) ?? []), y[i]!]));
  return by.size > 1 && by.size < y.length ? [...by.values()].reduce((sum, values) => sum + values.length * (mean(values) - all) ** 2, 0) / total : null;
}

export interface Weight {
  param: string;
  /** From 0 to 1. */
  strength: number;
  direction: "more" | "less" | "choice";
}

/** The params in the order of how strongly they go with a metric: no proof of a cause, but where to look. */
export function weights(runs: readonly Run[], metric: string): Weight[] {
  const known = runs.filter((run) => run.metrics[metric] != null);
  const y = known.map((run) => run.metrics[metric]!);
  const params = [...new Set(known.flatMap((run) => Object.keys(run.params)))];
  return params.flatMap((param): Weight[] => {
    const values = known.map((run) => run.params[param] ?? null);
    if (values.every((v) => typeof v === "number")) {
      const found = rankCorrelation(values as number[], y);
      return found === null ? [] : [{ param, strength: Math.abs(found), direction: found > 0 ? "more" : "less" }];
    }
    const found = shareBetween(values.map(plain), y);
    return found === null ? [] : [{ param, strength: Math.sqrt(found), direction: "choice" }];
  }).sort((a, b) => b.strength - a.strength);
}
