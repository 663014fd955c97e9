// A table of any size, a page at a time, ordered and searched on the server.

import { Button, Group, Select, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { ask, useAsked, type Asked } from "../api/client";
import type { RowPage } from "../api/types";
import { count, plain } from "../format";
import { Empty, Fault, Waiting } from "./basics";

const PAGE = 100;

const shown = (cell: unknown): string => (typeof cell === "string" && /^\d{4}-\d\d-\d\dT/.test(cell) ? cell.replace("T", " ").replace(/(:00)?(\+00:00|Z)$/, "") : plain(cell));

export interface RowsOf {
  dataset?: string;
  snapshot?: string;
  digest?: string;
  name?: string;
  /** A feature view: what is served of it now. */
  view?: string;
}

export function Rows({ dataset = "", snapshot = "", digest = "", name = "", view = "" }: RowsOf) {
  const [offset, setOffset] = useState(0);
  const [order, setOrder] = useState("");
  const [column, setColumn] = useState("");
  const [words, setWords] = useState("");
  const [contains, setContains] = useState("");
  const asked = { offset, limit: PAGE, order_by: order, column, contains };
  const from: Asked<RowPage> = view ? ask("features_online/values", { view, limit: 500, column, contains }) : digest ? ask("rows/of_file", { digest, name, ...asked }) : ask("rows/of_snapshot", { dataset, snapshot, ...asked });
  const { data, error, isFetching } = useAsked({ ...from, staleTime: 300_000 });
  if (error) return <Fault of={error} />;
  if (!data) return <Waiting />;
  const free = data.columns.filter((one) => !one.masked).map((one) => one.name);
  const hidden = data.columns.filter((one) => one.masked);
  const sort = (name: string) => {
    setOffset(0);
    setOrder(order === name ? `-${name}` : order === `-${name}` ? "" : name);
  };
  return (
    <div aria-busy={isFetching}>
      <form className="toolbar" onSubmit={(event) => {
        event.preventDefault();
        setOffset(0);
        setContains(words.trim());
      }}>
        <Select label="Search in" searchable data={free} value={column || null} onChange={(one) => setColumn(one ?? "")} /><TextInput label="Contains" value={words} onChange={(e) => setWords(e.currentTarget.value)} /><Button type="submit" variant="default" disabled={!column}>Search</Button>
        <Group gap="xs" ml="auto"><Text size="xs" c="dimmed" role="status">{data.total ? `${count(data.offset + 1)} to ${count(data.offset + data.rows.length)} of ${count(data.total)}` : "no row"}</Text><Button variant="default" disabled={!offset} onClick={() => setOffset(Math.max(0, offset - PAGE))}>Before</Button><Button variant="default" disabled={offset + PAGE >= data.total} onClick={() => setOffset(offset + PAGE)}>Next</Button></Group>
      </form>
      {data.rows.length ? (
        <div className="scroll-rows" tabIndex={0} role="region" aria-label="Rows">
          <table className="rows-table">
            <thead><tr>{data.columns.map((one) => <th key={one.name} scope="col" aria-sort={order === one.name ? "ascending" : order === `-${one.name}` ? "descending" : undefined} title={one.kind}>{one.masked ? one.name : <button type="button" disabled={view !== ""} onClick={() => sort(one.name)}>{one.name}{order === one.name ? " ↑" : order === `-${one.name}` ? " ↓" : ""}</button>}</th>)}</tr></thead>
            <tbody>{data.rows.map((row, i) => <tr key={data.offset + i}>{row.map((cell, c) => <td key={c} className={typeof cell === "number" ? "n" : ""}>{shown(cell)}</td>)}</tr>)}</tbody>
          </table>
        </div>
      ) : <Empty>No row fits.</Empty>}
      {hidden.length ? <Text size="xs" c="dimmed" mt={6}>Masked, for they hold personal data: {hidden.map((one) => `${one.name} (${one.masked})`).join(", ")}.</Text> : null}
    </div>
  );
}
