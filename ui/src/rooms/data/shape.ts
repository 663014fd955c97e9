// The shape of a column: the bars of its histogram, or of its most frequent values.

import type { ColumnProfile } from "../../api/types";
import { plain, value } from "../../format";

export interface Bar {
  label: string;
  share: number;
}

export function shapeOf(of: Pick<ColumnProfile, "rows" | "histogram" | "bins" | "top" | "minimum" | "maximum" | "type">): Bar[] {
  const rows = Math.max(1, of.rows);
  if (of.histogram.length) {
    const [low, high] = [Number(of.minimum), Number(of.maximum)];
    const known = Number.isFinite(low) && Number.isFinite(high);
    return of.histogram.map((n, i) => ({ label: known ? `${value(low + (i / of.histogram.length) * (high - low))} to ${value(low + ((i + 1) / of.histogram.length) * (high - low))}` : `part ${i + 1}`, share: n / rows }));
  }
  if (of.top.length) return of.top.slice(0, 24).map((one) => ({ label: plain(one.value), share: one.rows / rows }));
  return of.bins?.counts.map((n, i) => ({ label: `${value(of.bins!.edges[i])} to ${value(of.bins!.edges[i + 1])}`, share: n / rows })) ?? [];
}

export interface Change {
  column: string;
  what: string;
}

/** What differs between the columns of two snapshots. */
export function columnChanges(before: { name: string; type: string; storage: string }[], now: { name: string; type: string; storage: string }[]): Change[] {
  const old = new Map(before.map((c) => [c.name, c])), fresh = new Map(now.map((c) => [c.name, c]));
  return [
    ...now.filter((c) => !old.has(c.name)).map((c) => ({ column: c.name, what: `is new (${c.type})` })), ...before.filter((c) => !fresh.has(c.name)).map((c) => ({ column: c.name, what: "is gone" })),
    ...now.flatMap((c) => (old.has(c.name) && old.get(c.name)!.storage !== c.storage ? [{ column: c.name, what: `went from ${old.get(c.name)!.storage} to ${c.storage}` }] : [])),
  ];
}
