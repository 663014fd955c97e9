// Projects of this server: each has data, models and members of its own.

import { NumberInput, Select, TextInput } from "@mantine/core";
import { useState } from "react";
import { ask, useAll } from "../../api/client";
import type { Project, Store } from "../../api/types";
import { bytes } from "../../format";
import { addressOfProject } from "../../shell/project";
import { Act } from "../../parts/act";
import { Empty, Link, Loaded, Panel, State, Twin, When } from "../../parts/basics";
import { FormAct } from "../../parts/form";
import { Table } from "../../parts/table";

const SMALL = { variant: "subtle", size: "compact-xs" } as const;

export function Projects() {
  const from = useAll({ projects: ask("projects/list", {}), stores: ask("projects/list_stores", {}) });
  return (
    <Loaded from={from}>{({ projects, stores }) => (
      <div className="stack">
        <Panel title="Projects" aside={<NewProject stores={stores} />}>
          <Table rows={projects} id={(p) => p.name} first={60} empty={<Empty command="flyball projects create NAME">There is but the workspace itself.</Empty>} columns={[
            { title: "project", cell: (p) => (p.state === "deleted" ? p.name : <Link to={addressOfProject(p.name)}>{p.name}</Link>) }, { title: "what", cell: (p) => [p.title, p.description].filter(Boolean).join(": ") || "–", wide: true }, { title: "state", cell: (p) => <State of={p.trouble ? "failed" : p.state === "active" ? "ready" : p.state}>{p.trouble || p.state}</State> },
            { title: "your role", cell: (p) => p.role }, { title: "kept in", cell: (p) => [p.store, p.residency].filter(Boolean).join(", ") || "–" }, { title: "size", number: true, cell: (p) => (p.stored_bytes === null ? "–" : `${bytes(p.stored_bytes)}${p.most_bytes === null ? "" : ` of ${bytes(p.most_bytes)}`}`) }, { title: "made", cell: (p) => <><When at={p.created} />{p.created_by ? ` by ${p.created_by}` : ""}</> },
            { title: "", cell: (p) => <Acts of={p} /> },
          ]} />
          <Twin>flyball projects list</Twin>
        </Panel>
        <Panel title="Stores" aside="places that projects may be kept in">
          <Table rows={stores} id={(s) => s.name} empty={<Empty command="flyball projects add-store NAME --database URL --objects URL">All projects are kept beside this workspace.</Empty>} columns={[
            { title: "store", cell: (s) => s.name }, { title: "database", cell: (s) => <span className="long">{s.database || "as here"}</span>, wide: true }, { title: "objects", cell: (s) => <span className="long">{s.objects || "as here"}</span> }, { title: "where", cell: (s) => s.residency || "–" },
            { title: "", cell: (s) => <Act verb="projects/remove_store" takes={{ name: s.name }} twin={`flyball projects remove-store ${s.name}`} question={`Forget the store ${s.name}? No project may be kept in it.`} button={SMALL}>Forget</Act> },
          ]} />
        </Panel>
      </div>
    )}</Loaded>
  );
}

function Acts({ of: { name, state, role } }: { of: Project }) {
  if (role !== "owner" || name === "default") return null;
  if (state === "deleted") return <Act verb="projects/restore" takes={{ name }} twin={`flyball projects restore ${name}`} button={SMALL}>Restore</Act>;
  return (
    <>
      {state === "archived" ? <Act verb="projects/unarchive" takes={{ name }} twin={`flyball projects unarchive ${name}`} button={SMALL}>Open again</Act>
        : <Act verb="projects/archive" takes={{ name }} twin={`flyball projects archive ${name}`} question={`Archive ${name}? It can be read, and no longer changed.`} button={SMALL}>Archive</Act>}
      <Act verb="projects/delete" takes={{ name, confirm: "" }} twin={`flyball projects delete ${name}`} question={`Delete ${name} with all that it holds? It can be restored for some days.`} text={{ name: "confirm", label: `Write ${name} to say that you mean it`, isNeeded: true }} button={SMALL}>Delete</Act>
    </>
  );
}

function NewProject({ stores }: { stores: Store[] }) {
  const [name, setName] = useState(""), [title, setTitle] = useState(""), [description, setDescription] = useState(""), [store, setStore] = useState<string | null>(null), [most, setMost] = useState<number | string>("");
  return (
    <FormAct title="A new project" yes="Make it" verb="projects/create" takes={() => ({ name, title, description, store: store ?? "", most_bytes: most === "" ? null : Number(most) * 1e9 })} twin={`flyball projects create ${name || "NAME"}`} fields={<>
      <TextInput label="Name" required value={name} onChange={(e) => setName(e.currentTarget.value)} /><TextInput label="Title" value={title} onChange={(e) => setTitle(e.currentTarget.value)} /><TextInput label="What it is about" value={description} onChange={(e) => setDescription(e.currentTarget.value)} />
      {stores.length ? <Select label="Kept in" clearable placeholder="beside this workspace" data={stores.map((s) => s.name)} value={store} onChange={setStore} /> : null}<NumberInput label="At most so many GB" min={1} value={most} onChange={setMost} />
    </>}>New project</FormAct>
  );
}
