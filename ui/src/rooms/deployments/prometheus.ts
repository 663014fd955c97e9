// The model server's counters, out of the text that Prometheus reads.

export interface Traffic {
  requests: number;
  errors: number;
  predictions: number;
  dropped: number;
  /** Upper ends of the buckets in seconds, with how many requests took no longer. */
  buckets: [number, number][];
}

const LINE = /^flyball_serving_(\w+)\{([^}]*)\} (\S+)$/;

export function trafficOf(text: string, deployment: string): Traffic {
  const found: Traffic = { requests: 0, errors: 0, predictions: 0, dropped: 0, buckets: [] };
  const counters: Record<string, "requests" | "errors" | "predictions" | "dropped"> = { requests_total: "requests", errors_total: "errors", predictions_total: "predictions", dropped_total: "dropped" };
  for (const line of text.split("\n")) {
    const [, name = "", labels = "", number = ""] = LINE.exec(line) ?? [];
    if (!labels.includes(`deployment="${deployment}"`)) continue;
    const counter = counters[name];
    if (counter) found[counter] += Number(number);
    if (name === "request_seconds_bucket") found.buckets.push([Number(/le="([^"]+)"/.exec(labels)?.[1]?.replace("+Inf", "Infinity") ?? "Infinity"), Number(number)]);
  }
  return found;
}

/** The time within which a share of the requests was answered, between the ends of its bucket; null without requests. */
export function quantile(buckets: readonly [number, number][], share: number): number | null {
  const sorted = [...buckets].sort((a, b) => a[0] - b[0]);
  const total = sorted[sorted.length - 1]?.[1] ?? 0;
  if (!total) return null;
  let below = 0, from = 0;
  for (const [end, upTo] of sorted) {
    if (upTo >= share * total) return end === Infinity ? from : from + ((share * total - below) / (upTo - below || 1)) * (end - from);
    [below, from] = [upTo, end];
  }
  return from;
}
