// What happens in the workspace, as it happens: events say which rooms changed, and what is shown of them is read again.

import { QueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { read } from "./client";
import type { Event } from "./types";

/** The rooms whose answers may differ after an event of a kind such as `registry.version_registered`. */
const TOUCHED: Record<string, string[]> = {
  tracking: ["tracking", "run_search", "experiments", "trash"],
  registry: ["registry", "registered_models", "model_versions", "model_cards", "lifecycle", "approvals", "comments", "signatures", "catalog"],
  deployment: ["deployments", "registry", "loops", "lifecycle"],
  pipelines: ["errands", "tracking", "run_search", "step_cache", "reasons", "quality"],
  automl: ["automl"],
  loops: ["loops", "simulations"],
  monitoring: ["monitoring", "simulations"],
  alerts: ["alerts"],
  data: ["data", "data_versions", "quality", "catalog"],
  catalog: ["catalog"],
  features: ["features", "features_online", "catalog"],
  labels: ["labels"],
  comments: ["comments"],
};

export function roomsTouched(kind: string): string[] {
  return TOUCHED[kind.split(".")[0] ?? ""] ?? [];
}

type State = "live" | "away";
let state: State = "away";
const listeners = new Set<() => void>();
const say = (now: State) => {
  state = now;
  listeners.forEach((listener) => listener());
};

export const useLive = (): State => useSyncExternalStore((listener) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
}, () => state);

/** Follows the event stream while the page is seen: a browser keeps few connections to a server. */
export function follow(queries: QueryClient): void {
  let source: EventSource | undefined;
  let pending: ReturnType<typeof setTimeout> | undefined;
  const touched = new Set<string>(["events", "clock"]);
  const refresh = () => {
    pending = undefined;
    queries.invalidateQueries({ predicate: ({ queryKey }) => touched.has(String(queryKey[0])) });
    touched.clear();
    touched.add("events").add("clock");
  };
  const heard = (message: MessageEvent<string>) => {
    for (const room of roomsTouched((JSON.parse(message.data) as Event).kind)) touched.add(room);
    pending ??= setTimeout(refresh, 400);
  };
  const open = async () => {
    if (document.hidden) {
      source?.close();
      source = undefined;
      return;
    }
    const newest = await read("events/list", { newest_first: true, limit: 1 }).catch(() => []);
    if (source || document.hidden) return;
    source = new EventSource(`api/events/stream?plain=1&after=${newest[0]?.id ?? 0}`);
    source.onmessage = heard;
    source.onopen = () => say("live");
    source.onerror = () => say("away");
  };
  document.addEventListener("visibilitychange", () => {
    void open();
    if (!document.hidden) void queries.invalidateQueries();
  });
  void open();
}
