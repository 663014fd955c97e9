import { Button, Checkbox, Menu, Modal, MultiSelect, Select, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import type { ViewProps } from "../../App";
import { go, href, useView } from "../../address";
import { ask, post, useAsked } from "../../api/client";
import type { RunColumns } from "../../api/types";
import { count, plain, plural, quoted, value } from "../../format";
import { Act } from "../../parts/act";
import { Fault, Head, Link, Loaded, Panel, Twin } from "../../parts/basics";
import { Table } from "../../parts/table";
import { OWN, usual } from "./columns";
import { both, equal, fields } from "./filter";
import { FilterBox } from "./FilterBox";
import { RunPage } from "./RunPage";
import { NoRun, RunsTable, type Asked } from "./RunsTable";

const TOP_ONLY = "attributes.parent = ''";
const NOTHING: RunColumns = { params: [], metrics: [], tags: [], runs: 0 };

export default function Runs({ parts }: ViewProps) {
  return parts[0] ? <RunPage id={parts[0]} /> : <RunList />;
}

function RunList() {
  const [view, setView] = useView({ filter: "", experiment: "", order: "", columns: "", group: "", inner: "", trash: "" });
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const experiments = view.experiment ? [view.experiment] : [];
  const deleted = view.trash ? "deleted" : "active";
  const known = useAsked(ask("run_search/columns", { experiments, deleted })).data ?? NOTHING;
  const filter = both(view.filter, view.inner || (view.filter && !view.experiment) ? "" : TOP_ONLY);
  const asked: Asked = { deleted, ...(filter ? { filter } : {}), ...(experiments.length ? { experiments } : {}), ...(view.order ? { order_by: [view.order] } : {}) };
  const columns = view.columns ? view.columns.split(",") : usual(known);
  return (
    <>
      <Head title="Runs" under={view.trash ? "What lies in the trash." : "Every training, pipeline and evaluation, and what it logged."} actions={<Views filter={view.filter} order={view.order} columns={view.columns} experiment={view.experiment} onChoose={setView} />} />
      <div className="toolbar">
        <FilterBox value={view.filter} known={known} onSubmit={(text) => {
          setView({ filter: text });
          setPicked(new Set());
        }} />
        <Experiment value={view.experiment} onChange={(experiment) => setView({ experiment })} />
        <Select label="Group by" clearable searchable w={150} data={fields(known)} value={view.group || null} onChange={(group) => setView({ group: group ?? "" })} />
        <Columns known={known} chosen={columns} onChange={(chosen) => setView({ columns: chosen.join(",") })} />
        <div className="checks"><Checkbox label="inner runs" checked={view.inner !== ""} onChange={(e) => setView({ inner: e.currentTarget.checked ? "yes" : "" })} /><Checkbox label="trash" checked={view.trash !== ""} onChange={(e) => setView({ trash: e.currentTarget.checked ? "yes" : "" })} /></div>
      </div>
      <Panel className="flush">
        {picked.size ? <Bulk picked={[...picked]} isTrash={view.trash !== ""} onDone={() => setPicked(new Set())} /> : null}
        {view.group ? <Groups by={view.group} asked={asked} known={known} onOpen={(condition) => setView({ filter: both(view.filter, condition), group: "" })} />
          : <RunsTable key={JSON.stringify(asked)} asked={asked} columns={columns} order={view.order} onOrder={(order) => setView({ order })} picked={picked} onPick={setPicked} none={<div className="inset"><NoRun isAsked={view.filter !== "" || view.experiment !== "" || view.trash !== ""} /></div>} />}
      </Panel>
      <Twin>{`flyball runs list${view.experiment ? ` --experiment ${view.experiment}` : ""}${view.filter ? ` --filter ${quoted(view.filter)}` : ""}${view.order ? ` --order ${quoted(view.order)}` : ""}`}</Twin>
    </>
  );
}

function Experiment({ value: chosen, onChange }: { value: string; onChange: (experiment: string) => void }) {
  const { data } = useAsked(ask("experiments/list", { limit: 1000 }));
  const options = (data ?? []).map((one) => ({ value: one.id, label: `${one.name} (${count(one.runs)})` }));
  return <Select label="Experiment" clearable searchable w={190} placeholder="all" data={options} value={options.some((o) => o.value === chosen) ? chosen : null} onChange={(id) => onChange(id ?? "")} />;
}

function Columns({ known, chosen, onChange }: { known: RunColumns; chosen: string[]; onChange: (chosen: string[]) => void }) {
  const [isOpen, setOpen] = useState(false);
  const group = (name: string, keys: readonly string[]) => ({ group: name, items: keys.map((key) => ({ value: name === "own" ? key : `${name}.${key}`, label: key })) });
  return (
    <>
      <Button variant="default" onClick={() => setOpen(true)}>Columns</Button>
      <Modal opened={isOpen} onClose={() => setOpen(false)} title="Columns" size="lg">
        <MultiSelect label="Shown, in this order" searchable hidePickedOptions data={[group("own", OWN), group("metrics", known.metrics), group("params", known.params), group("tags", known.tags)]} value={chosen} onChange={onChange} comboboxProps={{ withinPortal: true }} maxDropdownHeight={320} />
        <Button mt="md" variant="subtle" onClick={() => onChange([])}>The usual ones</Button>
      </Modal>
    </>
  );
}

function Bulk({ picked, isTrash, onDone }: { picked: string[]; isTrash: boolean; onDone: () => void }) {
  const what = plural(picked.length, "run");
  return (
    <div className="bulk" role="region" aria-label="Picked runs">
      <strong>{what} picked</strong>
      <Button onClick={() => go(href(["compare", picked.slice(0, 200).join(",")]))}>Compare</Button>
      {isTrash ? <Act verb="trash/bulk_restore" takes={{ runs: picked }} twin={`flyball runs restore ${picked.slice(0, 3).join(" ")}`} onDone={onDone}>Restore</Act> : (
        <>
          <Tagging picked={picked} />
          <Act verb="trash/bulk_delete" takes={{ runs: picked }} twin={`flyball runs delete ${picked.slice(0, 3).join(" ")}${picked.length > 3 ? " …" : ""}`} question={`Put ${what} into the trash? They can be restored.`} onDone={onDone}>Put into the trash</Act>
        </>
      )}
      <Button variant="subtle" onClick={onDone}>Pick none</Button>
    </div>
  );
}

function Tagging({ picked }: { picked: string[] }) {
  const [isOpen, setOpen] = useState(false);
  const [key, setKey] = useState("");
  const [text, setText] = useState("");
  const [fault, setFault] = useState<Error | null>(null);
  const queries = useQueryClient();
  const save = () => post("trash/bulk_tag", { runs: picked, tags: { [key]: text } }).then(() => {
    setOpen(false);
    return queries.invalidateQueries();
  }, setFault);
  return (
    <>
      <Button variant="default" onClick={() => setOpen(true)}>Tag</Button>
      <Modal opened={isOpen} onClose={() => setOpen(false)} title={`Tag ${plural(picked.length, "run")}`}>
        <form onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}>
          <TextInput label="Tag" required value={key} onChange={(e) => setKey(e.currentTarget.value)} data-autofocus /><TextInput label="Value" mt="sm" value={text} onChange={(e) => setText(e.currentTarget.value)} />
          {fault ? <Fault of={fault} /> : null}
          <Button type="submit" mt="md">Tag</Button>
        </form>
      </Modal>
    </>
  );
}

interface Saved {
  filter: string;
  order: string;
  columns: string;
  experiment: string;
}

function Views({ filter, order, columns, experiment, onChoose }: Saved & { onChoose: (view: Saved) => void }) {
  const { data } = useAsked(ask("saved_views/list", { kind: "runs", limit: 200 }));
  const [isOpen, setOpen] = useState(false);
  const [name, setName] = useState("");
  const [fault, setFault] = useState<Error | null>(null);
  const queries = useQueryClient();
  const save = () => post("saved_views/save", {
    name, kind: "runs", filter, order_by: order ? [order] : [], columns: columns ? columns.split(",") : [], experiments: experiment ? [experiment] : [],
  }).then(() => {
    setOpen(false);
    return queries.invalidateQueries({ queryKey: ["saved_views"] });
  }, setFault);
  return (
    <>
      <Menu position="bottom-end" withinPortal>
        <Menu.Target><Button variant="default">Views{data?.length ? ` (${data.length})` : ""}</Button></Menu.Target>
        <Menu.Dropdown>
          {data?.map((view) => <Menu.Item key={view.name} onClick={() => onChoose({ filter: view.filter, order: view.order_by[0] ?? "", columns: view.columns.join(","), experiment: view.experiments[0] ?? "" })}>{view.name}</Menu.Item>)}
          {data?.length ? <Menu.Divider /> : null}
          <Menu.Item onClick={() => setOpen(true)}>Save this view …</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal opened={isOpen} onClose={() => setOpen(false)} title="Save this view for all">
        <form onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}>
          <TextInput label="Name" required data-autofocus value={name} onChange={(e) => setName(e.currentTarget.value)} />
          {fault ? <Fault of={fault} /> : null}
          <Button type="submit" mt="md">Save</Button>
        </form>
      </Modal>
    </>
  );
}

function Groups({ by, asked, known, onOpen }: { by: string; asked: Asked; known: RunColumns; onOpen: (condition: string) => void }) {
  const metrics = known.metrics.filter((key) => !key.startsWith("system/")).slice(0, 4);
  const from = useAsked(ask("run_search/group", { by: [by], aggregate: metrics.map((key) => `mean(metrics.${key})`), limit: 1000, deleted: asked.deleted, ...(asked.filter ? { filter: asked.filter } : {}), ...(asked.experiments ? { experiments: asked.experiments } : {}) }));
  return (
    <div className="inset">
      <Loaded from={{ data: from.data, error: from.error }}>{({ groups }) => (
        <Table rows={groups} id={(g) => plain(g.values[0])} first={50} empty={<NoRun isAsked />} columns={[
          { title: by, cell: (g) => <Button variant="subtle" size="compact-xs" onClick={() => onOpen(equal(by, g.values[0] ?? null))}>{g.values[0] === null ? "none" : plain(g.values[0])}</Button> },
          { title: "runs", number: true, cell: (g) => count(g.count) },
          ...metrics.map((key, i) => ({ title: `mean ${key}`, number: true, cell: (g: (typeof groups)[number]) => value(g.results[i]) })),
        ]} />
      )}</Loaded>
      <Link to="#/runs">All runs</Link>
    </div>
  );
}
