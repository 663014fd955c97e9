// Tokens: made, shown once, revoked.

import { NumberInput, Select, Switch, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useView } from "../../address";
import { ask, useAll, useAsked } from "../../api/client";
import type { Token } from "../../api/types";
import { Act } from "../../parts/act";
import { Code, Command, Empty, Loaded, Panel, State, Twin, When } from "../../parts/basics";
import { FormAct } from "../../parts/form";
import { Table } from "../../parts/table";
import { ROLES, type Role } from "./Access";

export function Tokens() {
  const [view, setView] = useView({ whose: "", past: "" });
  const me = useAsked({ ...ask("accounts/whoami", {}), staleTime: 300_000 }).data;
  // Who looks after the instance, or is alone on it, sees those of everybody.
  const isAll = view.whose === "all" || (view.whose === "" && me?.admin === true);
  const from = useAll({ tokens: ask("tokens/list", { limit: 500, all: isAll, past: view.past !== "" }, me !== undefined) });
  return (
    <Loaded from={from}>{({ tokens }) => (
      <Panel title="Tokens" aside={<><Switch label="of everybody" checked={isAll} onChange={(e) => setView({ whose: e.currentTarget.checked ? "all" : "mine" })} /><Switch label="past ones" checked={view.past !== ""} onChange={(e) => setView({ past: e.currentTarget.checked ? "yes" : "" })} /><NewToken /></>}>
        <Table rows={tokens} id={(t) => t.id} first={50} empty={<Empty command="flyball tokens create NAME">No token yet. A program that speaks to this server needs one:</Empty>} columns={[
          { title: "name", cell: (t) => <strong>{t.name || t.kind}</strong> }, { title: "of", cell: (t) => t.account }, { title: "may", cell: (t) => `${t.scope === "read" ? "read" : "read and write"} as ${t.role}${t.project ? ` in ${t.project}` : ""}`, wide: true }, { title: "made", cell: (t) => <When at={t.created} /> },
          { title: "used", cell: (t) => <When at={t.used} relative /> }, { title: "until", cell: (t) => (t.expires ? <When at={t.expires} /> : "revoked") }, { title: "id", cell: (t) => <Code>{t.id}</Code> },
          { title: "", cell: (t) => (isOver(t) ? <State of="calm">{t.revoked ? "revoked" : "over"}</State> : <Act verb="tokens/revoke" takes={{ id: t.id }} twin={`flyball tokens revoke ${t.id}`} question={`Revoke ${t.name || t.id}? Whoever uses it is shut out at once.`} button={{ variant: "subtle", size: "compact-xs" }}>Revoke</Act>) },
        ]} />
        <Twin>flyball tokens list</Twin>
      </Panel>
    )}</Loaded>
  );
}

const isOver = (token: Token): boolean => token.revoked !== null || (token.expires !== null && Date.parse(token.expires) < Date.now());

function NewToken() {
  const accounts = useAsked(ask("accounts/list", { limit: 500 })).data ?? [];
  const [account, setAccount] = useState<string | null>(null);
  const [name, setName] = useState(""), [scope, setScope] = useState<Token["scope"]>("write"), [role, setRole] = useState<Role>("contributor"), [days, setDays] = useState<number | string>(90);
  return (
    <FormAct title="A new token" yes="Make it" verb="tokens/create" takes={() => ({ name, scope, role, days: Number(days), account: account ?? "" })} twin={`flyball tokens create ${name || "NAME"}${scope === "read" ? " --read-only" : ""} --role ${role} --days ${days}${account ? ` --account ${account}` : ""}`}
      told={({ secret, token }) => <><Text size="sm" mb="xs">This is the token <strong>{token.name}</strong>. It is shown this once; only its hash is kept.</Text><Command>{secret}</Command><Text size="sm" c="dimmed" mt="sm" mb={4}>A program takes it from its environment:</Text><Command>{`export FLYBALL_TOKEN=${secret}`}</Command></>}
      fields={<>
        {accounts.length ? <Select label="Of" placeholder="yourself" clearable searchable data={accounts.map((one) => one.name)} value={account} onChange={setAccount} /> : null}
        <TextInput label="What for" required value={name} onChange={(e) => setName(e.currentTarget.value)} />
        <Select label="May" data={[{ value: "read", label: "read" }, { value: "write", label: "read and write" }]} value={scope} allowDeselect={false} onChange={(s) => setScope(s as Token["scope"])} /><Select label="As at most" data={ROLES} value={role} allowDeselect={false} onChange={(r) => setRole(r as Role)} />
        <NumberInput label="Days until it ends" min={1} value={days} onChange={setDays} />
      </>}>New token</FormAct>
  );
}
