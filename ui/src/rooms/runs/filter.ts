// Completion of the filter language while it is typed.

import type { RunColumns } from "../../api/types";

export interface Completion {
  /** Where in the text what is typed so far begins. */
  from: number;
  options: string[];
}

const ATTRIBUTES = ["name", "state", "kind", "experiment", "user", "started", "ended", "seconds", "parent", "notes", "error", "id", "datasets.name"];
const OPERATORS = ["=", "!=", ">", ">=", "<", "<="];
const FOR_TEXT = ["=", "!=", "LIKE", "ILIKE", "IN", "IS NULL", "IS NOT NULL"];
const STATES = ["'finished'", "'running'", "'failed'", "'cancelled'", "'lost'", "'scheduled'"];
const TOKEN = /'(?:[^']|'')*'?|`[^`]*`?|[<>!=]+|[^\s<>!='`()]+|[()]/g;

const written = (key: string): string => (/^[\w./-]+$/.test(key) ? key : `\`${key}\``);

export const fields = (known: RunColumns): string[] => [
  ...known.metrics.map((key) => `metrics.${written(key)}`), ...known.params.map((key) => `params.${written(key)}`), ...ATTRIBUTES, ...known.tags.map((key) => `tags.${written(key)}`),
];

/** What may be typed next, at most a dozen things. */
export function complete(text: string, known: RunColumns): Completion {
  const all = [...text.matchAll(TOKEN)];
  const last = all[all.length - 1];
  const isWithin = last !== undefined && last.index + last[0].length === text.length && !/\s$/.test(text);
  const typed = isWithin ? last[0] : "";
  const from = isWithin ? last.index : text.length;
  const before = (isWithin ? all.slice(0, -1) : all).map((one) => one[0]);
  if (typed.startsWith("'") && typed.length > 1 && typed.endsWith("'")) return { from: text.length, options: [] };
  const options = next(before, known).filter((option) => option.toLowerCase().includes(typed.toLowerCase()) && option !== typed);
  const first = options.filter((option) => option.toLowerCase().startsWith(typed.toLowerCase()));
  return { from, options: [...first, ...options.filter((option) => !first.includes(option))].slice(0, 12) };
}

const isOperator = (token: string): boolean => /^[<>!=]+$/.test(token) || /^(LIKE|ILIKE|IN|NULL)$/i.test(token);
const isJoint = (token: string | undefined): boolean => token === undefined || /^(AND|OR|NOT|\()$/i.test(token);

function next(before: string[], known: RunColumns): string[] {
  const [field, token] = [before[before.length - 2], before[before.length - 1]];
  if (isJoint(token)) return fields(known);
  if (/^NULL$/i.test(token!)) return ["AND", "OR"];
  if (isOperator(token!)) return field === "state" || field === "attributes.state" ? STATES : [];
  if (field !== undefined && isOperator(field)) return ["AND", "OR"];
  return token!.startsWith("metrics.") ? [...OPERATORS, "IS NULL", "IS NOT NULL"] : token!.startsWith("params.") ? [...FOR_TEXT, ...OPERATORS.slice(2)] : ["started", "ended", "seconds"].includes(token!) ? OPERATORS : FOR_TEXT;
}

/** A filter and a further condition. */
export const both = (filter: string, condition: string): string => (!filter.trim() ? condition : !condition ? filter : `(${filter}) AND ${condition}`);

/** The condition that a field has this value. */
export function equal(field: string, value: string | number | null): string {
  if (value === null) return `${field} IS NULL`;
  return `${field} = ${typeof value === "number" && field.startsWith("metrics.") ? value : `'${String(value).replaceAll("'", "''")}'`}`;
}
