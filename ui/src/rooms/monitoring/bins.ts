// Counts of a window beside those of the reference, bin by bin.

import type { Profile } from "../../api/types";
import { value } from "../../format";

export interface Reference {
  numeric: { column: string; edges: number[]; repeated: number[] }[];
  categorical: { column: string; levels: string[] }[];
  profile: Profile;
}
export interface Bar {
  label: string;
  before: number;
  now: number;
  /** Where on a number line it stands; null for levels and what lies outside. */
  from: number | null;
  to: number | null;
}

const MOST_LEVELS = 24;

/** The share of the rows in each bin, in the reference and now. */
export function barsOf(column: string, reference: Reference, now: Profile): Bar[] {
  const before = reference.profile.columns[column], counts = now.columns[column];
  if (!before || !counts) return [];
  const bar = (label: string, a: number, b: number, from: number | null = null, to: number | null = null): Bar => ({ label, before: a / Math.max(1, before.total), now: b / Math.max(1, counts.total), from, to });
  const numeric = reference.numeric.find((one) => one.column === column);
  const rest = [bar("missing", before.missing, counts.missing)];
  if (numeric) {
    const inside = counts.counts.map((n, i) => bar(`${value(numeric.edges[i])} to ${value(numeric.edges[i + 1])}`, before.counts[i] ?? 0, n, numeric.edges[i] ?? null, numeric.edges[i + 1] ?? null));
    return [bar("below", before.below, counts.below), ...inside, bar("above", before.above, counts.above), ...rest].filter((one) => one.from !== null || one.before + one.now > 0);
  }
  const levels = reference.categorical.find((one) => one.column === column)?.levels ?? [];
  const all = counts.counts.map((n, i) => bar(levels[i] ?? String(i), before.counts[i] ?? 0, n)).sort((a, b) => Math.max(b.before, b.now) - Math.max(a.before, a.now));
  return [...all.slice(0, MOST_LEVELS), bar("unseen", before.unseen, counts.unseen), ...rest].filter((one) => one.before + one.now > 0);
}
