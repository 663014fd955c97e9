// The workspace's time, which may be virtual.

import { useAsked, ask } from "../api/client";

export interface ClockState {
  now: string;
  isVirtual: boolean;
}

export function useClock(): ClockState | undefined {
  const state = useAsked({ ...ask("clock/state", {}), staleTime: 30_000 });
  const set = useAsked({ ...ask("clock/is_set", {}), staleTime: 30_000 });
  return state.data && set.data !== undefined ? { now: String(state.data[0]), isVirtual: set.data } : undefined;
}

export function useNow(): number {
  const clock = useClock();
  return clock?.isVirtual ? Date.parse(clock.now) : Date.now();
}
