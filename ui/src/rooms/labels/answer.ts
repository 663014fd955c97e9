// Answers while they are being given: keys, spans of a text, boxes on an image.

import type { LabelSet } from "../../api/types";

export interface Mark {
  start: number;
  end: number;
  label: string;
}
export interface Frame {
  x: number;
  y: number;
  width: number;
  height: number;
  label: string;
}

const KEYS = "1234567890qwertyip";

/** The key that stands for each class; skip, undo and enter keep theirs. */
export const keyOf = (place: number): string => KEYS[place] ?? "";

export const choices = (set: Pick<LabelSet, "task" | "classes">): string[] => (set.task === "accept" ? ["yes", "no"] : set.classes);

/** The class that a pressed key stands for. */
export function classOfKey(key: string, set: Pick<LabelSet, "task" | "classes">): string | undefined {
  if (set.task === "accept" && (key === "y" || key === "n")) return key === "y" ? "yes" : "no";
  const place = KEYS.indexOf(key.toLowerCase());
  return place < 0 || key.length !== 1 ? undefined : choices(set)[place];
}

/** Adds a span; one that it crosses gives way. */
export function withSpan(marks: readonly Mark[], mark: Mark): Mark[] {
  return [...marks.filter((one) => one.end <= mark.start || one.start >= mark.end), mark].sort((a, b) => a.start - b.start);
}

export interface Piece {
  text: string;
  label: string | null;
  start: number;
}

/** A text cut where its spans begin and end. The store counts whole signs, the browser halves of pairs. */
export function pieces(text: string, marks: readonly Mark[]): Piece[] {
  const signs = [...text];
  const out: Piece[] = [];
  let at = 0;
  for (const mark of marks) {
    if (mark.start > at) out.push({ text: signs.slice(at, mark.start).join(""), label: null, start: at });
    out.push({ text: signs.slice(mark.start, mark.end).join(""), label: mark.label, start: mark.start });
    at = mark.end;
  }
  if (at < signs.length) out.push({ text: signs.slice(at).join(""), label: null, start: at });
  return out;
}

export const signsIn = (text: string): number => [...text].length;
