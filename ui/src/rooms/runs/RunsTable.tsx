// The table of runs. Of a hundred thousand only those that are seen are in the page; the rest is fetched on the way to it.

import { useInfiniteQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useCallback, useEffect, useMemo, useRef } from "react";
import { href } from "../../address";
import { read } from "../../api/client";
import type { Reads, Run } from "../../api/types";
import { count, plural, short } from "../../format";
import { Empty, Fault, State, Waiting } from "../../parts/basics";
import { cell, orderField, title, width } from "./columns";

const PAGE = 300, ROW = 34, NAME = 230, STATE = 96;

export type Asked = Pick<Reads["run_search/search"]["takes"], "filter" | "experiments" | "order_by" | "deleted">;

/** All runs that are asked for, a page at a time. */
export function useRuns(asked: Asked) {
  return useInfiniteQuery({
    queryKey: ["run_search", "search-pages", asked],
    queryFn: ({ pageParam, signal }) => read("run_search/search", { ...asked, limit: PAGE, page_token: pageParam, total: pageParam === "" }, signal),
    initialPageParam: "",
    getNextPageParam: (last) => last.next_page_token || undefined,
  });
}

export function RunsTable({ asked, columns, order, onOrder, picked, onPick, none }: {
  asked: Asked; columns: string[]; order: string; onOrder: (order: string) => void; picked: ReadonlySet<string>; onPick: (picked: Set<string>) => void; none: React.ReactNode;
}) {
  const pages = useRuns(asked);
  const runs = useMemo(() => pages.data?.pages.flatMap((page) => page.runs) ?? [], [pages.data]);
  const total = Math.max(pages.data?.pages[0]?.total ?? 0, runs.length);
  const home = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({ count: total, getScrollElement: () => home.current, estimateSize: () => ROW, overscan: 12 });
  const seen = rows.getVirtualItems();
  const last = seen[seen.length - 1]?.index ?? 0;
  const named = columns.join(",");
  const shown = useMemo(() => named.split(",").filter(Boolean), [named]);
  const now = useRef({ picked, onPick });
  useEffect(() => {
    now.current = { picked, onPick };
  });
  const toggle = useCallback((id: string) => now.current.onPick(toggled(now.current.picked, id)), []);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = pages;
  useEffect(() => {
    if (last >= runs.length - PAGE / 3 && hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [last, runs.length, hasNextPage, isFetchingNextPage, fetchNextPage]);
  if (pages.error && !runs.length) return <Fault of={pages.error} />;
  if (!pages.data) return <Waiting />;
  if (!runs.length) return <>{none}</>;
  const template = `38px ${NAME}px ${STATE}px ${columns.map((c) => `minmax(${width(c)}px, 1fr)`).join(" ")}`;
  const wide = 38 + NAME + STATE + columns.reduce((sum, c) => sum + width(c), 0);
  const [by = "", way = ""] = order.split(" ");
  const all = runs.length > 0 && runs.every((run) => picked.has(run.id));
  return (
    <>
      <div className="runs" ref={home} role="table" aria-label="Runs" aria-rowcount={total + 1} tabIndex={0}>
        <div style={{ minWidth: wide }} role="rowgroup">
          <div className="runs-head" role="row" aria-rowindex={1} style={{ gridTemplateColumns: template }}>
            <div role="columnheader"><input type="checkbox" aria-label="Pick all that are loaded" checked={all} ref={(box) => { if (box) box.indeterminate = !all && picked.size > 0; }} onChange={() => onPick(all ? new Set() : new Set(runs.map((run) => run.id)))} /></div>
            {["name", "state", ...columns].map((column) => {
              const field = orderField(column);
              const sort = by === field && field ? (way === "DESC" ? "descending" : "ascending") : undefined;
              const isNumber = column.startsWith("metrics.") || column === "duration";
              return (
                <div key={column} role="columnheader" aria-sort={sort} className={isNumber ? "n" : ""} title={column}>
                  {field ? <button type="button" onClick={() => onOrder(by !== field ? `${field} DESC` : way === "DESC" ? `${field} ASC` : "")}>{title(column)}{sort ? (sort === "descending" ? " ↓" : " ↑") : ""}</button> : title(column)}
                </div>
              );
            })}
          </div>
        </div>
        <div style={{ height: rows.getTotalSize(), minWidth: wide, position: "relative" }} role="rowgroup">
          {seen.map(({ index, start }) => {
            const run = runs[index];
            return run ? <Row key={run.id} run={run} index={index} start={start} template={template} columns={shown} isPicked={picked.has(run.id)} onToggle={toggle} />
              : <div key={index} className="runs-row" role="row" aria-rowindex={index + 2} style={{ gridTemplateColumns: template, transform: `translateY(${start}px)` }}><div role="cell" /><div role="cell" className="soft">…</div></div>;
          })}
        </div>
      </div>
      <div className="runs-foot" role="status">{plural(total, "run")}{runs.length < total ? `, ${count(runs.length)} loaded` : ""}{pages.isFetching ? " …" : ""}</div>
    </>
  );
}

function toggled(picked: ReadonlySet<string>, id: string): Set<string> {
  const now = new Set(picked);
  if (!now.delete(id)) now.add(id);
  return now;
}

// Scrolling draws again what moves into sight, and nothing of what is there already.
const Row = memo(({ run, index, start, template, columns, isPicked, onToggle }: { run: Run; index: number; start: number; template: string; columns: string[]; isPicked: boolean; onToggle: (id: string) => void }) => {
  const name = run.name || short(run.id);
  return (
    <div className={`runs-row ${isPicked ? "picked" : ""}`} role="row" aria-rowindex={index + 2} style={{ gridTemplateColumns: template, transform: `translateY(${start}px)` }}>
      <div role="cell"><input type="checkbox" aria-label={`Pick run ${name}`} checked={isPicked} onChange={() => onToggle(run.id)} /></div>
      <div role="cell"><a href={href(["runs", run.id])}>{name}</a></div>
      <div role="cell"><State of={run.state} /></div>
      {columns.map((column) => {
        const { text, number } = cell(run, column);
        return <div key={column} role="cell" className={number ? "n" : ""} title={text}>{text}</div>;
      })}
    </div>
  );
});

export function NoRun({ isAsked }: { isAsked: boolean }) {
  return isAsked ? <Empty>No run fits.</Empty> : (
    <div className="stack">
      <Empty command="flyball run PIPELINE">No run yet. In a project's folder:</Empty>
      <Empty command={"import flyball as fb\nwith fb.run(\"first\"):\n    fb.log(accuracy=0.9)"}>Or from any script:</Empty>
    </div>
  );
}
