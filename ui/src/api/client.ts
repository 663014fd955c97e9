// The one way to the server: verbs by name, typed by what the server says of itself.

import { useQueries, useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import type { Posts, Reads } from "./types";

export class ApiError extends Error {
  constructor(message: string, readonly hint: string, readonly code: string, readonly status: number) {
    super(message);
  }
}

let isLoginNeeded = false;
const waiting = new Set<() => void>();

function askForLogin(): void {
  isLoginNeeded = true;
  waiting.forEach((tell) => tell());
}

/** Whether the server wants to know who asks before it answers anything. */
export const useLoginNeeded = (): boolean => useSyncExternalStore((tell) => {
  waiting.add(tell);
  return () => waiting.delete(tell);
}, () => isLoginNeeded);

async function taken(answer: Response): Promise<unknown> {
  const body = await answer.json().catch(() => null);
  if (answer.ok) return body;
  if (answer.status === 401 && body?.code === "login_needed") askForLogin();
  throw new ApiError(
    body?.message ?? body?.error ?? `The server answered ${answer.status}, which is not one of its own answers.`,
    body?.hint ?? "", body?.code ?? "error", answer.status,
  );
}

type Flat = string | number | boolean | null | undefined;

function pairs(takes: object): [string, string][] {
  return Object.entries(takes as Record<string, Flat | Flat[]>).flatMap(([key, given]) =>
    (Array.isArray(given) ? given : [given]).filter((one) => one != null).map((one): [string, string] => [key, String(one)]));
}

export async function read<K extends keyof Reads>(verb: K, takes: Reads[K]["takes"], signal?: AbortSignal): Promise<Reads[K]["gives"]> {
  const asked = new URLSearchParams(pairs(takes)).toString();
  // An address has no room for hundreds of ids: the server takes such a read as a POST as well.
  const answer = asked.length < 4000
    ? fetch(`api/${verb}?${asked}`, { signal })
    : fetch(`api/${verb}`, { signal, method: "POST", headers: JSON_HEADERS, body: JSON.stringify(takes) });
  return (await taken(await answer)) as Reads[K]["gives"];
}

const JSON_HEADERS = { "content-type": "application/json" };

export async function post<K extends keyof Posts>(verb: K, takes: Posts[K]["takes"]): Promise<Posts[K]["gives"]> {
  const answer = await fetch(`api/${verb}`, { method: "POST", headers: JSON_HEADERS, body: JSON.stringify(takes) });
  return (await taken(answer)) as Posts[K]["gives"];
}

/** Any path of the server that speaks JSON and is no verb. */
export async function send(path: string, body?: unknown): Promise<unknown> {
  return taken(await fetch(path, body === undefined ? {} : { method: "POST", headers: JSON_HEADERS, body: JSON.stringify(body) }));
}

export interface Asked<G> {
  queryKey: readonly unknown[];
  queryFn: (context: { signal: AbortSignal }) => Promise<G>;
  enabled?: boolean;
  staleTime?: number;
  /** How often it is asked again by itself, in milliseconds. */
  refetchInterval?(found: G | undefined): number | false;
}

/** A read, to be asked for by `useAsked` or together with others by `useAll`. */
export function ask<K extends keyof Reads>(verb: K, takes: Reads[K]["takes"], enabled = true): Asked<Reads[K]["gives"]> {
  const [room] = verb.split("/");
  return { queryKey: [room, verb, takes], queryFn: ({ signal }) => read(verb, takes, signal), enabled };
}

/** What lies under a digest, as JSON; it never changes. */
export function askBlob<G>(digest: string): Asked<G> {
  return {
    queryKey: ["blobs", digest],
    queryFn: async ({ signal }) => (await taken(await fetch(`blobs/${digest}`, { signal }))) as G,
    enabled: digest !== "", staleTime: Infinity,
  };
}

export function useAsked<G>({ refetchInterval, ...asked }: Asked<G>): UseQueryResult<G> {
  return useQuery({ ...asked, ...(refetchInterval ? { refetchInterval: (query: { state: { data: unknown } }) => refetchInterval(query.state.data as G | undefined) } : {}) }) as UseQueryResult<G>;
}

type Given<T> = { [K in keyof T]: T[K] extends Asked<infer G> ? G : never };

export interface Together<T> {
  data: T | undefined;
  error: Error | null;
}

/** Several reads, asked for at once: there is data when all have come. */
export function useAll<T extends Record<string, Asked<unknown>>>(asked: T): Together<Given<T>> {
  const names = Object.keys(asked);
  return useQueries({
    queries: names.map((name) => asked[name]!),
    combine: (results) => {
      const error = results.find((one) => one.error && one.data === undefined)?.error ?? null;
      const whole = results.every((one) => one.data !== undefined);
      const data = whole ? (Object.fromEntries(names.map((name, i) => [name, results[i]!.data])) as Given<T>) : undefined;
      return { data, error };
    },
  });
}
