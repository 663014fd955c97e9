import { Button, Tabs, TextInput } from "@mantine/core";
import { useState, type ReactNode } from "react";
import type { ViewProps } from "../../App";
import { href, useView } from "../../address";
import { ask, useAll } from "../../api/client";
import { Empty, Head, Link, Loaded, Panel, State, When } from "../../parts/basics";
import { Table } from "../../parts/table";
import { Origin } from "../models/VersionPage";
import { Access } from "./Access";
import { Audit } from "./Audit";
import { Cost } from "./Cost";
import { Evidence } from "./Evidence";
import { Maturity } from "./Maturity";
import { Projects } from "./Projects";
import { Policies, Secrets } from "./Rules";
import { Tokens } from "./Tokens";

const TABS: [string, string, () => ReactNode][] = [
  ["decisions", "Approvals", () => <Decisions />], ["audit", "Audit log", () => <Audit />], ["maturity", "Maturity", () => <Maturity />], ["cost", "Cost", () => <Cost />], ["access", "Access", () => <Access />], ["tokens", "Tokens", () => <Tokens />], ["projects", "Projects", () => <Projects />],
  ["evidence", "Evidence", () => <Evidence />], ["policies", "Policies", () => <Policies />], ["secrets", "Secrets", () => <Secrets />], ["lineage", "Lineage", () => <Followed />], ["life", "Deprecated", () => <Ending />],
];

export default function Governance(_: ViewProps) {
  const [view, setView] = useView({ tab: "decisions" });
  return (
    <>
      <Head title="Governance" under="Who decided what, where everything comes from, who may use it." />
      <Tabs value={view.tab} onChange={(tab) => setView({ tab: tab ?? "decisions" })} keepMounted={false} className="tabs">
        <Tabs.List>{TABS.map(([key, name]) => <Tabs.Tab key={key} value={key}>{name}</Tabs.Tab>)}</Tabs.List>
        <div className="tab">{TABS.map(([key, , shown]) => <Tabs.Panel key={key} value={key}>{key === view.tab ? shown() : null}</Tabs.Panel>)}</div>
      </Tabs>
    </>
  );
}

function Followed() {
  const [view, setView] = useView({ ref: "" });
  return <Anything about={view.ref} onChange={(ref) => setView({ ref })} />;
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

function Ending() {
  const from = useAll({ versions: ask("lifecycle/list_deprecated", { limit: 200 }) });
  return <Loaded from={from}>{({ versions }) => <Panel title="Versions that should no longer be used"><Table rows={versions} id={(d) => `${d.model}/${d.version}`} first={30} empty={<Empty command="flyball models deprecate NAME/VERSION --by YOU REASON">None is deprecated.</Empty>} columns={[{ title: "version", cell: (d) => <Link to={href(["models", d.model, d.version])}>{d.model} version {d.version}</Link> }, { title: "because", cell: (d) => d.reason, wide: true }, { title: "until", cell: (d) => <When at={d.until} /> }, { title: "instead", cell: (d) => d.instead || "–" }, { title: "by", cell: (d) => d.by }]} /></Panel>}</Loaded>;
}
