// Curves, drawn on a canvas by uPlot: tens of thousands of points stay fluent. The only file that knows uPlot.

import { useEffect, useMemo, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { value } from "../format";
import { useIsDark, useWidth } from "./size";

export interface Line {
  label: string;
  colour: string;
  x: readonly number[];
  y: readonly (number | null)[];
  isDashed?: boolean;
  isFaint?: boolean;
}

export function Lines({ lines, label, height = 220, isTime = false, isLog = false, sync, unit = "" }: {
  lines: Line[]; label: string; height?: number; isTime?: boolean; isLog?: boolean; sync?: string; unit?: string;
}) {
  const [watch, width] = useWidth();
  const isDark = useIsDark();
  const home = useRef<HTMLDivElement>(null);
  const data = useMemo(() => joined(lines), [lines]);
  useEffect(() => {
    if (!home.current || width < 50) return;
    const ink = isDark ? "#8d96a1" : "#5b6670", grid = isDark ? "#262d35" : "#eceff2";
    const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { show: false }, font: "11px 'Inter Variable', system-ui, sans-serif" };
    const plot = new uPlot({
      width, height,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      scales: { x: { time: isTime }, y: isLog ? { distr: 3 } : {} },
      legend: { show: lines.length <= 12, live: true },
      cursor: { drag: { x: true, y: false }, points: { size: 7 }, ...(sync ? { sync: { key: sync } } : {}) },
      axes: [
        { ...axis, ...(isTime ? {} : { values: (_: uPlot, splits: number[]) => splits.map((one) => value(one)) }) },
        { ...axis, size: 52, values: (_: uPlot, splits: (number | null)[]) => splits.map((one) => (one === null ? "" : value(one))) },
      ],
      series: [
        { label: unit || (isTime ? "time" : "step"), ...(isTime ? {} : { value: (_: uPlot, v: number | null) => value(v) }) },
        ...lines.map((line) => ({
          label: line.label, stroke: line.isFaint ? `${line.colour}44` : line.colour, width: line.isFaint ? 1 : 1.6, dash: line.isDashed ? [5, 4] : [], spanGaps: true,
          points: { show: line.x.length < 30 && !line.isFaint, size: 5 }, value: (_: uPlot, v: number | null) => value(v),
        })),
      ],
    }, data, home.current);
    return () => plot.destroy();
  }, [data, lines, width, height, isTime, isLog, isDark, sync, unit]);
  return <div className="lines" ref={watch} role="img" aria-label={label}><div ref={home} /></div>;
}

function joined(lines: Line[]): uPlot.AlignedData {
  if (lines.length === 1) return [lines[0]!.x as number[], lines[0]!.y as number[]];
  if (!lines.length) return [[]];
  return uPlot.join(lines.map((line) => [line.x as number[], line.y as number[]]));
}
