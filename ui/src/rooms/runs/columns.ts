// What stands in a column of the runs' table.

import type { Run, RunColumns } from "../../api/types";
import { between, lasted, moment, plain, value } from "../../format";

export interface Shown {
  text: string;
  number: boolean;
}

export const OWN = ["experiment", "started", "duration", "kind", "user", "id", "notes"] as const;

/** The field of the filter language that orders by a column; empty where there is none. */
export const orderField = (column: string): string => ({ experiment: "", duration: "seconds", notes: "" })[column] ?? column;

export function cell(run: Run, column: string): Shown {
  const [group, ...rest] = column.split(".");
  const key = rest.join(".");
  if (group === "metrics") return { text: key in run.metrics ? value(run.metrics[key]) : "", number: true };
  if (group === "params") return { text: key in run.params ? plain(run.params[key]) : "", number: typeof run.params[key] === "number" };
  if (group === "tags") return { text: run.tags[key] ?? "", number: false };
  if (column === "started") return { text: moment(run.started), number: false };
  // In virtual time a run begins and ends at the same moment.
  if (column === "duration") return { text: run.ended && run.ended !== run.started ? lasted(between(run.started, run.ended)) : "", number: true };
  return { text: String((run as unknown as Record<string, unknown>)[column] ?? ""), number: false };
}

export const title = (column: string): string => column.replace(/^(metrics|params|tags)\./, "");

/** The columns of a table in which nobody has chosen any. */
export function usual(known: RunColumns): string[] {
  return ["experiment", "started", "duration", ...known.metrics.filter((key) => !key.startsWith("system/")).slice(0, 5).map((key) => `metrics.${key}`), ...known.params.slice(0, 3).map((key) => `params.${key}`)];
}

export const width = (column: string): number => ({ experiment: 150, started: 130, duration: 90, notes: 220, id: 210 })[column] ?? Math.max(96, Math.min(190, 30 + 7.5 * title(column).length));
