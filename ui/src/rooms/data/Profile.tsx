import { Text } from "@mantine/core";
import { useState } from "react";
import type { ColumnProfile, TableProfile } from "../../api/types";
import { count, moment, percent, plain, plural, value } from "../../format";
import { Panel, State } from "../../parts/basics";
import { Table } from "../../parts/table";
import { shapeOf } from "./shape";

export function Profile({ of, before }: { of: TableProfile; before?: TableProfile }) {
  const [shown, setShown] = useState(24);
  return (
    <div className="stack">
      <Text size="sm" c="dimmed">{plural(of.rows, "row")}{of.sample < of.rows ? `, of which ${count(of.sample)} were looked at` : ""}{of.duplicates ? `; ${plural(of.duplicates, "row")} stand there more than once` : ""}.</Text>
      <div className="profile">{of.columns.slice(0, shown).map((column) => <One key={column.column} of={column} before={before?.columns.find((c) => c.column === column.column)} flag={of.flags.find((f) => f.column === column.column)?.kind} />)}</div>
      {of.columns.length > shown ? <button type="button" className="linkish" onClick={() => setShown(shown * 4)}>Show more columns</button> : null}
      {of.correlations.length ? <Panel title="Columns that go together"><Table rows={of.correlations} id={(c) => `${c.one} ${c.other} ${c.kind}`} first={12} columns={[{ title: "one", cell: (c) => c.one }, { title: "other", cell: (c) => c.other }, { title: "measure", cell: (c) => c.kind }, { title: "value", number: true, cell: (c) => value(c.value) }]} /></Panel> : null}
    </div>
  );
}

const end = (given: unknown): string => (typeof given === "string" && /^\d{4}-\d\d-\d\dT/.test(given) ? moment(given) : plain(given));

const WIDTH = 240, HEIGHT = 56;

function One({ of, before, flag }: { of: ColumnProfile; before?: ColumnProfile; flag?: string }) {
  const shape = shapeOf(of), old = before ? shapeOf(before) : null;
  const most = Math.max(...shape.map((b) => b.share), ...(old?.map((b) => b.share) ?? []), 1e-9);
  const step = WIDTH / Math.max(1, shape.length);
  return (
    <section className="panel column-card" aria-label={of.column}>
      <div className="panel-head"><strong className="long">{of.column}</strong><span className="soft small">{of.type}{flag ? <> <State of="warning">{flag}</State></> : null}</span></div>
      <svg className="chart" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width="100%" height={HEIGHT} preserveAspectRatio="none" role="img" aria-label={shape.slice(0, 6).map((b) => `${b.label}: ${percent(b.share)}`).join(", ")}>
        {old?.slice(0, shape.length).map((b, i) => <rect key={`o${i}`} x={i * step + 0.5} width={Math.max(0.8, step - 1)} y={HEIGHT - (b.share / most) * HEIGHT} height={(b.share / most) * HEIGHT} fill="var(--soft)" opacity={0.35} />)}
        {shape.map((b, i) => <rect key={i} x={i * step + 0.5} width={Math.max(0.8, (old ? 0.5 : 1) * step - 1)} y={HEIGHT - (b.share / most) * HEIGHT} height={(b.share / most) * HEIGHT} fill="var(--accent)" rx={1}><title>{`${b.label}: ${percent(b.share, 1)}`}</title></rect>)}
      </svg>
      <div className="small soft column-facts">
        <span>{of.missing ? <span className="warn">{percent(of.missing / Math.max(1, of.rows), 1)} missing</span> : "none missing"}</span>
        <span>{of.distinct === null ? "" : `${count(of.distinct)} distinct`}</span>
        <span className="long">{of.mean !== null ? `mean ${value(of.mean)}` : of.top[0] ? `most often ${plain(of.top[0].value)}` : ""}</span>
        <span className="long">{of.minimum != null ? `${end(of.minimum)} to ${end(of.maximum)}` : ""}</span>
      </div>
    </section>
  );
}
