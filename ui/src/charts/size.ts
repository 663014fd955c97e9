import { useComputedColorScheme } from "@mantine/core";
import { useCallback, useState } from "react";

/** How wide an element is shown, so that a chart's text is as large as the page's on every screen. */
export function useWidth(): [(element: HTMLElement | null) => void, number] {
  const [width, setWidth] = useState(0);
  const watch = useCallback((element: HTMLElement | null) => {
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => entry && setWidth(Math.floor(entry.contentRect.width)));
    observer.observe(element);
    setWidth(Math.floor(element.clientWidth));
    return () => observer.disconnect();
  }, []);
  return [watch, width];
}

export const useIsDark = (): boolean => useComputedColorScheme("light", { getInitialValueInEffect: false }) === "dark";
