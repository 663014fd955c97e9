// Policies as code, and secrets by name.

import { PasswordInput, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { ask, useAll } from "../../api/client";
import { plain } from "../../format";
import { Act } from "../../parts/act";
import { Code, Empty, Loaded, Panel, Twin, When } from "../../parts/basics";
import { FormAct } from "../../parts/form";
import { Table } from "../../parts/table";

export function Policies() {
  const from = useAll({ policies: ask("policies/list", {}) });
  return (
    <Loaded from={from}>{({ policies }) => (
      <Panel title="Policies in force" aside="declared in the project, handed over by flyball apply">
        <Table rows={policies} id={(p) => p.name} first={60} empty={<Empty command={'fb.rule.approvals(2)   # in the project file\nflyball apply'}>No policy rules what is registered, served and applied. One is a line of the project:</Empty>} columns={[
          { title: "policy", cell: (p) => <strong>{p.name}</strong> }, { title: "kind", cell: (p) => <Code>{p.kind}</Code> }, { title: "asks", wide: true, cell: (p) => Object.entries(p.params).map(([key, given]) => `${key}: ${plain(given)}`).join(", ") || "–" },
          { title: "of risk", cell: (p) => p.risk.join(", ") || "any" }, { title: "of models", cell: (p) => p.models.join(", ") || "all" },
        ]} />
        <Twin>flyball policies list</Twin>
        <Twin>flyball policies check models:/NAME/VERSION</Twin>
      </Panel>
    )}</Loaded>
  );
}

export function Secrets() {
  const from = useAll({ secrets: ask("secrets/list", {}) });
  return (
    <Loaded from={from}>{({ secrets }) => (
      <Panel title="Secrets" aside={<NewSecret />}>
        <Text size="sm" c="dimmed" mb="sm">Names only: a value goes in and is never shown again. Steps ask for one by its name.</Text>
        <Table rows={secrets} id={(s) => s.name} first={60} empty={<Empty command="flyball secrets set NAME">No secret is kept yet.</Empty>} columns={[
          { title: "secret", cell: (s) => <strong>{s.name}</strong>, wide: true }, { title: "version", number: true, cell: (s) => s.version }, { title: "set by", cell: (s) => s.by || "–" }, { title: "changed", cell: (s) => <When at={s.changed} /> }, { title: "key", cell: (s) => <Code>{s.key.slice(0, 12)}</Code> },
          { title: "", cell: (s) => <Act verb="secrets/delete" takes={{ name: s.name }} twin={`flyball secrets delete ${s.name}`} question={`Forget the secret ${s.name} for good? What asks for it fails from then on.`} button={{ variant: "subtle", size: "compact-xs" }}>Forget</Act> },
        ]} />
        <Act verb="secrets/rotate_key" takes={{}} twin="flyball secrets rotate-key" question="Make a new key, and encrypt the keys of all secrets under it?">New key</Act>
        <Twin>flyball secrets list</Twin>
      </Panel>
    )}</Loaded>
  );
}

function NewSecret() {
  const [name, setName] = useState(""), [value, setValue] = useState("");
  return <FormAct title="A secret" yes="Keep it" verb="secrets/set" takes={() => ({ name, value })} twin={`flyball secrets set ${name || "NAME"}`} onDone={() => setValue("")} fields={<><TextInput label="Name" required value={name} onChange={(e) => setName(e.currentTarget.value)} /><PasswordInput label="Value" required autoComplete="off" value={value} onChange={(e) => setValue(e.currentTarget.value)} /></>}>New secret</FormAct>;
}
