import { Select, Tabs, Text } from "@mantine/core";
import { lazy, Suspense } from "react";
import { go, href, useView } from "../../address";
import { ApiError, ask, useAll, useAsked } from "../../api/client";
import type { CatalogEntry, Snapshot } from "../../api/types";
import { bytes, count, plain, short } from "../../format";
import { Act } from "../../parts/act";
import { Code, Empty, Facts, Fault, Figure, Head, Link, Loaded, Panel, Ref, State, Twin, Waiting, When } from "../../parts/basics";
import { Table } from "../../parts/table";
import { Talk } from "../../parts/talk";
import { Rows } from "../../parts/rows";
import { Clean, useErrand } from "./Clean";
import { boxesOf, columnsOf } from "./lineage";
import { Profile } from "./Profile";
import { SnapshotDiff } from "./SnapshotDiff";

const Graph = lazy(() => import("../../charts/Graph"));

export function DatasetPage({ name, snapshot }: { name: string; snapshot: string }) {
  const from = useAll({
    found: ask("data/get", { name }), snapshots: ask("data/list_snapshots", { dataset: name, limit: 200 }), refs: ask("data_versions/refs", { dataset: name }), entry: ask("catalog/get", { ref: `datasets:/${name}` }),
    reports: ask("quality/list_reports", { dataset: name, limit: 20 }),
  });
  const [view, setView] = useView({ tab: "snapshots", with: "" });
  return (
    <Loaded from={from}>{({ found, snapshots, refs, entry, reports }) => {
      const shown = snapshots.find((s) => s.id === snapshot) ?? snapshots[0];
      return (
        <>
          <Head title={name} trail={[["Data", "#/data"]]} tag={entry.quality ? <State of={entry.quality.state}>{entry.quality.state}</State> : null} under={entry.description || found.source || found.query}
            actions={snapshots.length ? <Select aria-label="Snapshot" w={250} allowDeselect={false} value={shown?.id ?? null} data={snapshots.map((s) => ({ value: s.id, label: `${s.created.slice(0, 16).replace("T", " ")}  ${short(s.id)}` }))} onChange={(id) => id && go(href(["data", name, id], { tab: view.tab }))} /> : null} />
          {shown ? (
            <div className="figures figures-top">
              <Figure label="Rows" under={shown.summary}>{shown.rows === null ? "–" : count(shown.rows)}</Figure><Figure label="Columns">{shown.schema?.columns.length ?? "–"}</Figure><Figure label="Size" under={`${count(shown.file_count)} files`}>{bytes(shown.size)}</Figure><Figure label="Taken"><span className="smaller"><When at={shown.created} /></span></Figure>
            </div>
          ) : null}
          <Tabs value={view.tab} onChange={(tab) => setView({ tab: tab ?? "snapshots" })} keepMounted={false} className="tabs">
            <Tabs.List>{[["snapshots", "Snapshots"], ["rows", "Rows"], ["columns", "Columns"], ["profile", "Profile"], ["checks", "Checks"], ["diff", "Diff"], ["lineage", "Lineage"], ["clean", "Clean"]].map(([key, title]) => <Tabs.Tab key={key} value={key!}>{title}</Tabs.Tab>)}</Tabs.List>
            <div className="tab">
              <Tabs.Panel value="snapshots"><div className="grid"><div className="c8 stack"><Snapshots of={snapshots} name={name} refs={refs} /><Talk about={`datasets:/${name}`} /></div><div className="c4"><Panel title="Facts"><About entry={entry} facts={{ source: found.source || found.query, key: found.key, time: found.time, label: found.label, "label is known at": found.label_time }} /></Panel></div></div></Tabs.Panel>
              <Tabs.Panel value="columns"><Panel><Columns of={shown} entry={entry} /></Panel></Tabs.Panel>
              <Tabs.Panel value="profile">{shown ? <Profiled name={name} of={shown} /> : null}</Tabs.Panel>
              <Tabs.Panel value="checks"><Panel title="Reports">{reports.length ? <Reports of={reports} /> : <Empty command={`flyball data suggest ${name}\nflyball data check ${name}`}>It was not checked yet. Checks can be proposed from its profile:</Empty>}</Panel></Tabs.Panel>
              <Tabs.Panel value="diff">{shown ? <SnapshotDiff name={name} snapshots={snapshots} now={shown} before={view.with || shown.parent} onChange={(id) => setView({ with: id })} /> : null}</Tabs.Panel>
              <Tabs.Panel value="lineage"><Lineage name={name} snapshot={shown} /></Tabs.Panel>
              <Tabs.Panel value="rows">{shown ? <Panel>{shown.schema ? <Rows key={shown.id} dataset={name} snapshot={shown.id} /> : <Empty command={`flyball data checkout ${name}@${short(shown.id)} FOLDER`}>It is a folder of files, no table:</Empty>}<Twin>{`flyball data rows ${name} --version ${short(shown.id)}`}</Twin></Panel> : null}</Tabs.Panel>
              <Tabs.Panel value="clean">{shown ? <Clean name={name} of={shown} /> : null}</Tabs.Panel>
            </div>
          </Tabs>
          <Twin>{`flyball data history ${name}`}</Twin>
        </>
      );
    }}</Loaded>
  );
}

function Snapshots({ of, name, refs }: { of: Snapshot[]; name: string; refs: { name: string; snapshot: string; kind: string }[] }) {
  return (
    <Panel title="History">
      <Table rows={of} id={(s) => s.id} first={20} empty={<Empty command={`flyball data snapshot ${name}`}>No snapshot yet.</Empty>} columns={[
        { title: "snapshot", cell: (s) => <><Link to={href(["data", name, s.id])}>{short(s.id)}</Link>{refs.filter((r) => r.snapshot === s.id).map((r) => <State key={r.name} of={r.kind === "branch" ? "running" : "passed"}>{r.name}</State>)}</> },
        { title: "taken", cell: (s) => <When at={s.created} /> }, { title: "rows", number: true, cell: (s) => (s.rows === null ? "–" : count(s.rows)) }, { title: "size", number: true, cell: (s) => bytes(s.size) }, { title: "what changed", cell: (s) => s.summary, wide: true },
        { title: "", cell: (s) => (refs.some((r) => r.snapshot === s.id && r.kind === "branch") ? "" : <Act verb="data_versions/roll_back" takes={{ dataset: name, version: s.id }} twin={`flyball data rollback ${name} ${short(s.id)}`} question={`Let ${name} stand at ${short(s.id)} again? Nothing is lost, and the history tells of it.`} text={{ name: "reason", label: "Reason" }} button={{ variant: "subtle", size: "compact-xs" }}>Go back to it</Act>) },
      ]} />
    </Panel>
  );
}

function About({ entry, facts }: { entry: CatalogEntry; facts: Record<string, string> }) {
  return (
    <>
      <Facts of={{ ...facts, owner: entry.owner, licence: entry.licence, "personal data": entry.pii, tags: Object.entries(entry.tags).map(([k, v]) => (v ? `${k}=${v}` : k)).join(", "), changed: entry.freshness ? <When at={entry.freshness.changed} /> : "–", fresh: entry.freshness?.is_fresh === null ? "nothing expected" : entry.freshness?.is_fresh ? <State of="fresh" /> : <State of="stale" /> }} />
      <Act verb="catalog/describe" takes={{ ref: entry.ref }} twin={`flyball catalog describe ${entry.ref} --description TEXT`} question={`What is ${entry.title}?`} text={{ name: "description", label: "Description", isNeeded: true }} button={{ variant: "subtle", size: "compact-xs" }}>Describe it</Act>
      <Act verb="catalog/own" takes={{ ref: entry.ref, owner: "" }} twin={`flyball catalog own ${entry.ref} OWNER`} question={`Whose is ${entry.title}?`} text={{ name: "owner", label: "Owner", isNeeded: true }} button={{ variant: "subtle", size: "compact-xs" }}>Give it an owner</Act>
    </>
  );
}

function Columns({ of, entry }: { of: Snapshot | undefined; entry: CatalogEntry }) {
  return <Table rows={of?.schema?.columns ?? []} id={(c) => c.name} first={200} empty={<Empty>Nothing is known of its columns.</Empty>} columns={[
    { title: "column", cell: (c) => c.name }, { title: "type", cell: (c) => c.type }, { title: "kept as", cell: (c) => <Code>{c.storage}</Code> }, { title: "may be missing", cell: (c) => (c.nullable ? "yes" : "no") },
    { title: "description", cell: (c) => entry.columns.find((e) => e.name === c.name)?.description || "–", wide: true }, { title: "personal", cell: (c) => entry.columns.find((e) => e.name === c.name)?.pii || "–" },
  ]} />;
}

export function Profiled({ name, of }: { name: string; of: Snapshot }) {
  const { data, error } = useAsked(ask("quality/get_profile", { dataset: name, snapshot: of.id }));
  if (data) return <Profile of={data} />;
  if (error instanceof ApiError && error.code === "not_found") return <Unprofiled name={name} of={of} />;
  return error ? <Fault of={error} /> : <Waiting />;
}

function Unprofiled({ name, of }: { name: string; of: Snapshot }) {
  const { newest, isOpen } = useErrand("profile", name, of.id);
  return (
    <Panel>
      {isOpen ? <Waiting /> : <Empty command={`flyball data profile ${name}@${short(of.id)}`}>There is no profile of this snapshot. A worker makes it, or:</Empty>}
      {newest?.state === "failed" ? <Fault of={new Error(newest.error)} /> : null}
      {isOpen ? null : <Act verb="errands/profile" takes={{ dataset: name, snapshot: of.id }} twin={`flyball errands profile ${name}`}>Profile it</Act>}
    </Panel>
  );
}

function Reports({ of }: { of: import("../../api/types").QualityReport[] }) {
  return (
    <div className="stack">{of.slice(0, 6).map(({ number, at, snapshot, report }) => (
      <div key={number}>
        <Text size="sm" mb={6}><State of={report.passed ? "passed" : "failed"} /> <When at={at} />, {short(snapshot)}, {count(report.rows)} rows</Text>
        <Table rows={report.results} id={(r) => `${r.check} ${r.column}`} first={30} columns={[
          { title: "check", cell: (r) => r.check }, { title: "column", cell: (r) => r.column || "–" }, { title: "says", cell: (r) => <State of={r.passed ? "passed" : r.severity === "warn" ? "warning" : "failed"}>{r.passed ? "passed" : r.severity === "warn" ? "warns" : "failed"}</State> }, { title: "found", cell: (r) => r.found, wide: true }, { title: "failing", number: true, cell: (r) => `${count(r.failing)} of ${count(r.total)}` },
          { title: "examples", cell: (r) => (r.examples.length ? <details><summary className="small soft">{r.examples.length}</summary><pre className="block">{r.examples.map(plain).join("\n")}</pre></details> : "–") },
        ]} />
      </div>
    ))}</div>
  );
}

function Lineage({ name, snapshot }: { name: string; snapshot: Snapshot | undefined }) {
  const about = snapshot ? `snapshots:/${name}/${snapshot.id}` : `datasets:/${name}`;
  const [view, setView] = useView({ column: "" });
  const from = useAll({ up: ask("lineage/upstream", { ref: about, depth: 4 }), down: ask("lineage/downstream", { ref: about, depth: 4 }), usage: ask("catalog/usage", { ref: `datasets:/${name}` }), edges: ask("catalog/column_lineage", { ref: `datasets:/${name}`, upstream: false, ...(view.column ? { column: view.column } : {}) }) });
  return (
    <Loaded from={from}>{({ up, down, usage, edges }) => {
      const { boxes, arrows } = boxesOf(about, [...up, ...down]);
      return (
        <div className="stack">
          <Panel title="Where it comes from, and what came of it">{arrows.length ? <Suspense fallback={<Waiting />}><Graph boxes={boxes} arrows={arrows} label={`Lineage of ${name}`} /></Suspense> : <Empty>Nothing was made with this snapshot yet.</Empty>}</Panel>
          <Panel title="Column by column" aside={<Select aria-label="Column" clearable searchable placeholder="all columns" data={snapshot?.schema?.columns.map((c) => c.name) ?? []} value={view.column || null} onChange={(c) => setView({ column: c ?? "" })} />}>
            {edges.length ? <Suspense fallback={<Waiting />}><Graph {...columnsOf(edges)} label={`Columns of ${name} and what became of them`} /></Suspense> : null}
            <Table rows={edges} id={(e) => `${e.source} ${e.source_column} ${e.target} ${e.target_column}`} first={30} empty={<Empty>No column was followed further.</Empty>} columns={[{ title: "column", cell: (e) => e.source_column }, { title: "of", cell: (e) => <Ref to={e.source} /> }, { title: "becomes", cell: (e) => e.target_column }, { title: "in", cell: (e) => <Ref to={e.target} /> }, { title: "how", cell: (e) => e.how || (e.direct ? "as it is" : "through a condition"), wide: true }]} />
          </Panel>
          <Panel title="Who uses it"><Table rows={usage} id={(u) => `${u.ref} ${u.relation}`} first={20} empty={<Empty>Nobody yet.</Empty>} columns={[{ title: "what", cell: (u) => <Ref to={u.ref} /> }, { title: "how", cell: (u) => u.relation.replaceAll("_", " ") }, { title: "through", cell: (u) => (u.through ? <Ref to={u.through} /> : "–") }]} /></Panel>
        </div>
      );
    }}</Loaded>
  );
}
