// A table of some dozens of rows; on a narrow screen each row becomes a block of its own. Runs have a table for thousands.

import { Button } from "@mantine/core";
import { useState, type ReactNode } from "react";

export interface ColumnOf<R> {
  title: string;
  cell: (row: R) => ReactNode;
  number?: boolean;
  /** Takes the room that is left. */
  wide?: boolean;
}

/** What can be scrolled can be reached with the keyboard; what fits is no stop on the way. */
function reachable(element: HTMLElement | null): (() => void) | undefined {
  if (!element) return undefined;
  const look = () => {
    if (element.scrollWidth > element.clientWidth + 1) element.tabIndex = 0;
    else element.removeAttribute("tabindex");
  };
  const observer = new ResizeObserver(look);
  observer.observe(element);
  if (element.firstElementChild) observer.observe(element.firstElementChild);
  return () => observer.disconnect();
}

export function Table<R>({ rows, columns, id, empty, first = 15, label }: {
  rows: readonly R[]; columns: ColumnOf<R>[]; id: (row: R) => string | number; empty?: ReactNode; first?: number; label?: string;
}) {
  const [length, setLength] = useState(first);
  if (!rows.length) return <>{empty ?? null}</>;
  return (
    <div className="table-wrap" ref={reachable}>
      <table className="table" aria-label={label}>
        <thead><tr>{columns.map((c) => <th key={c.title} scope="col" className={c.number ? "n" : ""}>{c.title}</th>)}</tr></thead>
        <tbody>
          {rows.slice(0, length).map((row) => (
            <tr key={id(row)}>
              {columns.map((c) => <td key={c.title} data-label={c.title} className={`${c.number ? "n" : ""} ${c.wide ? "wide" : ""}`}><div>{c.cell(row) ?? "–"}</div></td>)}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > length ? <Button variant="subtle" onClick={() => setLength(3 * length)}>Show more</Button> : null}
    </div>
  );
}
