// Lineage as boxes and arrows.

import type { Edge } from "../../api/types";
import { hrefOfRef } from "../../address";
import type { Arrow, Box } from "../../charts/Graph";
import { words } from "../../format";

const COLOUR: Record<string, string> = {
  datasets: "#2271c9", snapshots: "#2271c9", features: "#6b4fd8", runs: "#0b7f8a", models: "#2f8f3f", deployments: "#d9580d", loops: "#a67c00", windows: "#c42b66",
};
const MOST = 60;

/** Columns as boxes: each of a thing is one, and what is made of it stands to its right. */
export function columnsOf(edges: readonly { source: string; source_column: string; target: string; target_column: string; how: string }[]): { boxes: Box[]; arrows: Arrow[] } {
  const drawn = edges.slice(0, MOST);
  const box = (ref: string, column: string): Box => {
    const [kind = "", rest = ref] = ref.split(":/");
    return { id: `${ref} ${column}`, title: column, note: rest.replace(/([0-9a-z]{10})[0-9a-z]{8,}/g, "$1…"), colour: COLOUR[kind], to: hrefOfRef(ref) };
  };
  const boxes = new Map<string, Box>();
  for (const edge of drawn) for (const one of [box(edge.source, edge.source_column), box(edge.target, edge.target_column)]) boxes.set(one.id, one);
  return { boxes: [...boxes.values()], arrows: drawn.map((edge) => ({ from: `${edge.source} ${edge.source_column}`, to: `${edge.target} ${edge.target_column}`, label: edge.how.slice(0, 24) })) };
}

/** At most sixty things, those nearest to the one that is asked about. */
export function boxesOf(about: string, edges: readonly Pick<Edge, "source" | "target" | "relation">[]): { boxes: Box[]; arrows: Arrow[] } {
  const drawn = edges.slice(0, 2 * MOST);
  const refs = [...new Set([about, ...drawn.flatMap((edge) => [edge.source, edge.target])])].slice(0, MOST);
  const boxes = refs.map((ref): Box => {
    const [kind = "", rest = ref] = ref.split(":/");
    return { id: ref, title: rest.replace(/([0-9a-z]{10})[0-9a-z]{8,}/g, "$1…"), note: ref === about ? `this ${kind.replace(/s$/, "")}` : kind.replace(/s$/, ""), colour: COLOUR[kind], to: hrefOfRef(ref) };
  });
  const seen = new Set<string>();
  const arrows = drawn.flatMap((edge): Arrow[] => {
    const key = `${edge.source} ${edge.target}`;
    if (seen.has(key)) return [];
    seen.add(key);
    return [{ from: edge.source, to: edge.target, label: words(edge.relation) }];
  });
  return { boxes, arrows };
}
