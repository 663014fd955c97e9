import { Button, Tabs, TextInput } from "@mantine/core";
import { useState } from "react";
import type { ViewProps } from "../../App";
import { href, useView } from "../../address";
import { ask, useAll } from "../../api/client";
import { Act } from "../../parts/act";
import { Empty, Head, Link, Loaded, Panel, Ref, State, Twin, When } from "../../parts/basics";
import { Table } from "../../parts/table";
import { Origin } from "../models/VersionPage";
import { EventLog } from "./Events";

export default function Governance(_: ViewProps) {
  const [view, setView] = useView({ tab: "decisions", ref: "" });
  return (
    <>
      <Head title="Governance" under="Who decided what, where everything comes from, who may use it." />
      <Tabs value={view.tab} onChange={(tab) => setView({ tab: tab ?? "decisions" })} keepMounted={false} className="tabs">
        <Tabs.List>{[["decisions", "Approvals"], ["audit", "Audit log"], ["lineage", "Lineage"], ["access", "Access"], ["life", "Deprecated"]].map(([key, name]) => <Tabs.Tab key={key} value={key!}>{name}</Tabs.Tab>)}</Tabs.List>
        <div className="tab">
          <Tabs.Panel value="decisions"><Decisions /></Tabs.Panel>
          <Tabs.Panel value="audit"><EventLog /></Tabs.Panel>
          <Tabs.Panel value="lineage"><Anything about={view.ref} onChange={(ref) => setView({ ref })} /></Tabs.Panel>
          <Tabs.Panel value="access"><Wishes /></Tabs.Panel>
          <Tabs.Panel value="life"><Ending /></Tabs.Panel>
        </div>
      </Tabs>
    </>
  );
}

function Decisions() {
  const from = useAll({ approvals: ask("approvals/list", { limit: 200 }) });
  return (
    <Loaded from={from}>{({ approvals }) => (
      <Panel title="Approvals">
        <Table rows={approvals} id={(a) => a.id} first={30} empty={<Empty command="flyball models request NAME/VERSION --by YOU">Nobody has asked for an approval yet:</Empty>} columns={[
          { title: "version", cell: (a) => <Link to={href(["models", a.model, a.version], { tab: "people" })}>{a.model} version {a.version}</Link> }, { title: "state", cell: (a) => <State of={a.state} /> }, { title: "asked", cell: (a) => <><When at={a.requested} /> by {a.requested_by}</> },
          { title: "words", wide: true, cell: (a) => a.words.map((w) => `${w.by}: ${w.word}${w.reason ? `, ${w.reason}` : ""}`).join("\n") || "–" }, { title: "four eyes", cell: (a) => (a.four_eyes ? "yes" : "no") },
        ]} />
      </Panel>
    )}</Loaded>
  );
}

function Anything({ about, onChange }: { about: string; onChange: (ref: string) => void }) {
  const [text, setText] = useState(about);
  return (
    <>
      <form className="toolbar" onSubmit={(event) => {
        event.preventDefault();
        onChange(text.trim());
      }}><TextInput className="grow" label="Follow" placeholder="models:/churn/3, runs:/01m7…, snapshots:/flights/93bb…" value={text} onChange={(e) => setText(e.currentTarget.value)} /><Button type="submit">Follow</Button></form>
      {about ? <Origin key={about} about={about} /> : <Empty command="flyball catalog lineage REF">Name a model's version, a run, a snapshot, a deployment: its whole origin is drawn, and what came of it.</Empty>}
    </>
  );
}

function Wishes() {
  const from = useAll({ wishes: ask("catalog/list_access", { limit: 200 }) });
  return (
    <Loaded from={from}>{({ wishes }) => (
      <Panel title="Wishes to use things">
        <Table rows={wishes} id={(w) => w.id} first={30} empty={<Empty command="flyball catalog access --help">Nobody has asked for access to anything.</Empty>} columns={[
          { title: "who", cell: (w) => w.who }, { title: "what", cell: (w) => <Ref to={w.ref} /> }, { title: "as", cell: (w) => w.role }, { title: "state", cell: (w) => <State of={w.state} /> }, { title: "because", cell: (w) => w.reason || "–", wide: true }, { title: "asked", cell: (w) => <When at={w.asked} /> },
          { title: "", cell: (w) => (w.state === "requested" ? <><Act verb="catalog/grant_access" takes={{ access: w.id }} twin={`flyball catalog access grant ${w.id}`} text={{ name: "note", label: "Note" }} by>Grant</Act> <Act verb="catalog/refuse_access" takes={{ access: w.id }} twin={`flyball catalog access refuse ${w.id}`} text={{ name: "note", label: "Note" }} by>Refuse</Act></> : "") },
        ]} />
        <Twin>flyball catalog access list</Twin>
      </Panel>
    )}</Loaded>
  );
}

function Ending() {
  const from = useAll({ versions: ask("lifecycle/list_deprecated", { limit: 200 }) });
  return <Loaded from={from}>{({ versions }) => <Panel title="Versions that should no longer be used"><Table rows={versions} id={(d) => `${d.model}/${d.version}`} first={30} empty={<Empty command="flyball models deprecate NAME/VERSION --by YOU REASON">None is deprecated.</Empty>} columns={[{ title: "version", cell: (d) => <Link to={href(["models", d.model, d.version])}>{d.model} version {d.version}</Link> }, { title: "because", cell: (d) => d.reason, wide: true }, { title: "until", cell: (d) => <When at={d.until} /> }, { title: "instead", cell: (d) => d.instead || "–" }, { title: "by", cell: (d) => d.by }]} /></Panel>}</Loaded>;
}
