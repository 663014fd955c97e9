// Numbers, times and words as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

export const count = (number: number): string => whole.format(number);
export const plural = (number: number, one: string, many = `${one}s`): string => `${count(number)} ${number === 1 ? one : many}`;

/** A measured value in four digits. */
export function value(number: number | null | undefined): string {
  if (number == null || Number.isNaN(number)) return "–";
  const size = Math.abs(number);
  if (Number.isInteger(number) || size >= 10_000) return whole.format(number);
  if (size < 0.0001) return number.toExponential(1);
  return String(Number(number.toPrecision(size < 1 ? 3 : 4)));
}

/** Anything that a param, a tag or a fact may be. */
export function plain(given: unknown): string {
  if (given === null || given === undefined || given === "") return "–";
  if (typeof given === "number") return value(given);
  return typeof given === "object" ? JSON.stringify(given) : String(given);
}

export function bytes(number: number): string {
  const power = number < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(number) / 3));
  return `${(number / 1000 ** power).toFixed(power ? 1 : 0)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
}

const UNITS: [number, string][] = [[86_400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];

/** A length of time that somebody declared: in its largest whole unit. */
export function span(seconds: number): string {
  const [size, unit] = UNITS.find(([length]) => seconds >= length && seconds % length === 0) ?? [1, "second"];
  return plural(Number((seconds / size).toFixed(3)), unit);
}

/** A length of time that was measured, roughly. */
export function lasted(seconds: number): string {
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.round((seconds % 86_400) / 3600)} h`;
}

export const between = (start: string, end: string | null): number =>
  (Date.parse(end ?? new Date().toISOString()) - Date.parse(start)) / 1000;

/** A moment in UTC, to the minute. */
export const moment = (text: string | null | undefined): string => (text ? text.slice(0, 16).replace("T", " ") : "–");
/** The first moment of a day, as the API takes it. */
export const beginning = (date: string): string => (/^\d{4}-\d\d-\d\d$/.test(date) ? `${date}T00:00:00Z` : date);
export const day = (text: string): string => text.slice(0, 10);

export function ago(text: string, now: number): string {
  const seconds = (now - Date.parse(text)) / 1000;
  if (seconds < 45) return "just now";
  const [size, unit] = UNITS.find(([length]) => seconds >= length) ?? [1, "second"];
  return `${plural(Math.round(seconds / size), unit)} ago`;
}

export const short = (id: string): string => (id.length > 14 ? id.slice(0, 12) : id);
export const words = (name: string): string => name.replaceAll("_", " ");
export const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
export const percent = (share: number, digits = 0): string => `${(100 * share).toFixed(digits)} %`;

/** A value with its interval. */
export function score(measured: { name: string; value: number | null; low: number | null; high: number | null }): string {
  const { low, high } = measured;
  return `${measured.name} ${value(measured.value)}${low == null || high == null ? "" : ` (${value(low)} to ${value(high)})`}`;
}

/** `drift(share=0.1)`: a plug-in and what it was given. */
export function call(name: string, params: Record<string, unknown>): string {
  const given = Object.entries(params).filter(([, v]) => v != null && v !== "" && !(Array.isArray(v) && v.length === 0));
  return given.length ? `${name}(${given.map(([k, v]) => `${k}=${plain(v)}`).join(", ")})` : name;
}
