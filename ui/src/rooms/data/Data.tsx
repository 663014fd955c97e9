import { TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import type { ViewProps } from "../../App";
import { href, useView } from "../../address";
import { ask, useAll } from "../../api/client";
import { bytes, count } from "../../format";
import { Empty, Head, Link, Loaded, Panel, Ref, State, Twin, When } from "../../parts/basics";
import { Table } from "../../parts/table";
import { DatasetPage } from "./DatasetPage";

export default function Data({ parts }: ViewProps) {
  return parts[0] ? <DatasetPage name={parts[0]} snapshot={parts[1] ?? ""} /> : <Catalog />;
}

function Catalog() {
  const [view, setView] = useView({ words: "" });
  const [words] = useDebouncedValue(view.words, 150);
  const from = useAll({ datasets: ask("data/list", { limit: 500 }), hits: ask("catalog/search", { words, limit: 60 }), jobs: ask("external/list_runs", { limit: 20 }) });
  return (
    <>
      <Head title="Data" under="Datasets, their versions, and all that is known of them." />
      <TextInput size="sm" mb="md" maw={520} leftSection={<IconSearch size={15} />} placeholder="Search names, columns, descriptions, tags, owners" aria-label="Search the catalog" value={view.words} onChange={(e) => setView({ words: e.currentTarget.value })} />
      <Loaded from={from}>{({ datasets, hits, jobs }) => (
        <div className="stack">
          {words ? (
            <Panel title="Found in the catalog">
              <Table rows={hits} id={(h) => h.ref} first={40} empty={<Empty>Nothing has all these words.</Empty>} columns={[
                { title: "kind", cell: (h) => h.kind.replace(/s$/, "") }, { title: "name", cell: (h) => <Ref to={h.ref} /> }, { title: "description", cell: (h) => h.description || "–", wide: true }, { title: "columns", cell: (h) => h.columns.join(", ") || "–" }, { title: "owner", cell: (h) => h.owner || "–" },
              ]} />
            </Panel>
          ) : (
            <Panel title="Datasets">
              <Table rows={datasets} id={(d) => d.name} first={60} empty={<Empty command="flyball data snapshot NAME FILE">No dataset yet. Take a snapshot of a file, and it is one:</Empty>} columns={[
                { title: "dataset", cell: (d) => <Link to={href(["data", d.name])}>{d.name}</Link> }, { title: "source", cell: (d) => <span className="long">{d.source || d.query || "–"}</span>, wide: true }, { title: "key", cell: (d) => d.key || "–" }, { title: "label", cell: (d) => d.label || "–" }, { title: "newest", cell: (d) => <Newest name={d.name} /> },
              ]} />
              <Twin>flyball data list</Twin>
            </Panel>
          )}
          {jobs.length ? <Panel title="Jobs of other tools"><Table rows={jobs} id={(j) => j.id} columns={[{ title: "job", cell: (j) => j.job, wide: true }, { title: "state", cell: (j) => <State of={j.state} /> }, { title: "started", cell: (j) => <When at={j.started} /> }, { title: "by", cell: (j) => j.producer }]} /></Panel> : null}
        </div>
      )}</Loaded>
    </>
  );
}

function Newest({ name }: { name: string }) {
  const { data } = useAll({ snapshots: ask("data/list_snapshots", { dataset: name, limit: 1 }) });
  const newest = data?.snapshots[0];
  return newest ? <><When at={newest.created} /> <span className="soft">{newest.rows === null ? "" : `${count(newest.rows)} rows, `}{bytes(newest.size)}</span></> : <span className="soft">no snapshot</span>;
}
