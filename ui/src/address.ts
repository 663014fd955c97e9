// Where one is: everything a view shows stands in the address, after the hash, so that a link shared shows the same.
// The hash keeps the page independent of where it is mounted and of any rewriting by a proxy.

import { useCallback, useMemo, useSyncExternalStore } from "react";

export interface Place {
  parts: string[];
  query: URLSearchParams;
}

// Clients of MLflow name runs and versions by the addresses of its own page.
const THEIRS: [RegExp, string][] = [
  [/^experiments\/[^/]+\/runs\/([^/?]+).*/, "runs/$1"],
  [/^experiments\/([^/?]+).*/, "runs?experiment=$1"],
  [/^models\/([^/]+)\/versions\/([0-9]+).*/, "models/$1/$2"],
];

/** The place that a hash such as `#/runs?filter=...` names. */
export function placeOf(hash: string): Place {
  let text = hash.replace(/^#?\/?/, "");
  const theirs = THEIRS.find(([pattern]) => pattern.test(text));
  if (theirs) text = text.replace(theirs[0], theirs[1]);
  const [path = ""] = text.split("?");
  const parts = path.split("/").filter(Boolean).map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part; // a broken escape is a name like any other, which nothing will be found under
    }
  });
  return { parts, query: new URLSearchParams(text.slice(path.length + 1)) };
}

/** The address of a place; empty values of the query are left out. */
export function href(parts: (string | number)[], query: Record<string, string> = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== "");
  const asked = new URLSearchParams(given).toString();
  return `#/${parts.map((part) => encodeURIComponent(String(part))).join("/")}${asked ? `?${asked}` : ""}`;
}

const listeners = new Set<() => void>();
const tell = () => listeners.forEach((listener) => listener());
if (typeof window !== "undefined") window.addEventListener("hashchange", tell);

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function usePlace(): Place {
  const hash = useSyncExternalStore(subscribe, () => window.location.hash);
  return useMemo(() => placeOf(hash), [hash]);
}

export function go(address: string, how: "push" | "replace" = "push"): void {
  if (how === "push") window.location.hash = address;
  else {
    window.history.replaceState(null, "", address);
    tell();
  }
}

/** What of a view stands in the address, and how to change it without a step in the browser's history. */
export function useView<T extends Record<string, string>>(defaults: T): [T, (change: Partial<T>) => void] {
  const place = usePlace();
  const known = JSON.stringify(defaults);
  const view = useMemo(() => {
    const first = JSON.parse(known) as T;
    return Object.fromEntries(Object.entries(first).map(([key, value]) => [key, place.query.get(key) ?? value])) as T;
  }, [place, known]);
  const change = useCallback((changed: Partial<T>) => {
    const first = JSON.parse(known) as T;
    const now = placeOf(window.location.hash);
    for (const [key, value] of Object.entries(changed)) {
      if (value === undefined || value === first[key]) now.query.delete(key);
      else now.query.set(key, value as string);
    }
    go(href(now.parts, Object.fromEntries(now.query)), "replace");
  }, [known]);
  return [view, change];
}

const ROOMS: Record<string, string> = {
  loops: "loops", models: "models", runs: "runs", deployments: "deployments", windows: "monitoring", datasets: "data",
  snapshots: "data", features: "features", experiments: "runs", labels: "labels", searches: "builder", pipelines: "pipelines",
};

/** The address of the thing that a reference such as `models:/churn/3` points at; empty if it has no page. */
export function hrefOfRef(ref: string): string {
  const found = /^(\w+):\/([^@]+)(?:@(.*))?$/.exec(ref);
  if (!found) return "";
  const [, kind = "", rest = ""] = found;
  const room = ROOMS[kind];
  if (!room) return "";
  const parts = rest.split("/").filter(Boolean);
  if (kind === "experiments") return href(["runs"], { experiment: parts[0] ?? "" });
  if (kind === "windows") return href([room, parts[0] ?? ""], { window: parts[1] ?? "" });
  const depth = kind === "models" || kind === "snapshots" ? 2 : 1;
  return href([room, ...parts.slice(0, depth)]);
}
