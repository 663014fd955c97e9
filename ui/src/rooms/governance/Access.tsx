// Who may do what: accounts, members of this project, groups, and wishes to use things.

import { Checkbox, PasswordInput, Select, TextInput } from "@mantine/core";
import { useState } from "react";
import { ask, useAll, useAsked } from "../../api/client";
import type { Account, Group, Member } from "../../api/types";
import { plural } from "../../format";
import { Act } from "../../parts/act";
import { Empty, Facts, Loaded, Panel, Ref, State, Twin, When } from "../../parts/basics";
import { FormAct } from "../../parts/form";
import { Table } from "../../parts/table";

export type Role = Member["role"];
export const ROLES: Role[] = ["viewer", "contributor", "maintainer", "owner"];
const SMALL = { variant: "subtle", size: "compact-xs" } as const;

export function Access() {
  const from = useAll({ me: ask("accounts/whoami", {}), members: ask("members/list", {}), groups: ask("groups/list", { limit: 500 }), wishes: ask("catalog/list_access", { limit: 200 }) });
  const { data: accounts, error } = useAsked(ask("accounts/list", { limit: 500 }));
  return (
    <Loaded from={from}>{({ me, members, groups, wishes }) => (
      <div className="grid">
        <div className="c8 stack">
          <Panel title={`Members of the project ${me.project}`} aside={<AddMember accounts={accounts ?? []} groups={groups} />}>
            <Table rows={members} id={(m) => `${m.kind} ${m.name}`} first={40} empty={<Empty command="flyball members set NAME contributor">Nobody is a member by name. Whoever looks after the instance may enter.</Empty>} columns={[
              { title: "who", cell: (m) => <>{m.name}{m.kind === "group" ? <span className="soft"> group</span> : null}</> }, { title: "role", cell: (m) => <ChangeRole of={m} /> }, { title: "since", cell: (m) => <When at={m.since} /> }, { title: "by", cell: (m) => m.by || "–" },
              { title: "", cell: (m) => <Act verb="members/remove" takes={{ name: m.name, kind: m.kind }} twin={`flyball members remove ${m.name}${m.kind === "group" ? " --group" : ""}`} question={`Take ${m.name} out of the project?`} button={SMALL}>Remove</Act> },
            ]} />
            <Twin>flyball members list</Twin>
          </Panel>
          <Panel title="Accounts" aside={<NewAccount />}>
            {error ? <Empty command="flyball users list">Only who looks after the instance sees all accounts.</Empty> : (
              <Table rows={accounts ?? []} id={(a) => a.name} first={40} empty={<Empty command="flyball users add NAME">There is no account yet: whoever can reach this workspace is its owner.</Empty>} columns={[
                { title: "name", cell: (a) => <><strong>{a.name}</strong>{a.full_name ? <span className="soft"> {a.full_name}</span> : null}</>, wide: true }, { title: "kind", cell: (a) => a.kind }, { title: "may", cell: (a) => [a.admin ? "look after the instance" : "", a.auditor ? "read all evidence" : ""].filter(Boolean).join(", ") || "–" },
                { title: "groups", cell: (a) => a.groups.join(", ") || "–" }, { title: "seen", cell: (a) => <When at={a.seen} relative /> }, { title: "", cell: (a) => <Switched of={a} /> },
              ]} />
            )}
            <Twin>flyball users list</Twin>
          </Panel>
          <Panel title="Groups" aside={<NewGroup />}>
            <Table rows={groups} id={(g) => g.name} first={40} empty={<Empty command="flyball groups add NAME">No group yet.</Empty>} columns={[
              { title: "group", cell: (g) => <strong>{g.name}</strong> }, { title: "what for", cell: (g) => g.description || "–", wide: true }, { title: "accounts", cell: (g) => g.accounts.join(", ") || "–" }, { title: "", cell: (g) => <InGroup of={g} accounts={accounts ?? []} /> },
            ]} />
          </Panel>
          <Panel title="Wishes to use things">
            <Table rows={wishes} id={(w) => w.id} first={30} empty={<Empty command="flyball catalog access --help">Nobody has asked for access to anything.</Empty>} columns={[
              { title: "who", cell: (w) => w.who }, { title: "what", cell: (w) => <Ref to={w.ref} /> }, { title: "as", cell: (w) => w.role }, { title: "state", cell: (w) => <State of={w.state} /> }, { title: "because", cell: (w) => w.reason || "–", wide: true }, { title: "asked", cell: (w) => <When at={w.asked} /> },
              { title: "", cell: (w) => (w.state === "requested" ? <><Act verb="catalog/grant_access" takes={{ access: w.id }} twin={`flyball catalog access grant ${w.id}`} text={{ name: "note", label: "Note" }} by>Grant</Act> <Act verb="catalog/refuse_access" takes={{ access: w.id }} twin={`flyball catalog access refuse ${w.id}`} text={{ name: "note", label: "Note" }} by>Refuse</Act></> : "") },
            ]} />
            <Twin>flyball catalog access list</Twin>
          </Panel>
        </div>
        <div className="c4 stack">
          <Panel title="You">
            <Facts of={{ name: me.full_name ? `${me.full_name} (${me.name})` : me.name, "role here": me.role, instance: me.admin ? "you look after it" : me.auditor ? "you may read all evidence" : "–", "known by": me.proven ? "a login" : "being on this machine", projects: Object.entries(me.projects).map(([name, role]) => `${name}: ${role}`).join("\n") }} />
            <Twin>flyball whoami</Twin>
          </Panel>
          <Panel title="Roles"><Facts of={{ viewer: "reads", contributor: "runs, logs, labels, comments", maintainer: "registers, deploys, rolls back", owner: "members, tokens, settings" }} /></Panel>
        </div>
      </div>
    )}</Loaded>
  );
}

function AddMember({ accounts, groups }: { accounts: Account[]; groups: Group[] }) {
  const [name, setName] = useState(""), [role, setRole] = useState<Role>("contributor"), [kind, setKind] = useState<"account" | "group">("account");
  const known = kind === "group" ? groups.map((g) => g.name) : accounts.map((a) => a.name);
  return (
    <FormAct title="A member of this project" yes="Add" verb="members/set" takes={() => ({ name, role, kind })} twin={`flyball members set ${name || "NAME"} ${role}${kind === "group" ? " --group" : ""}`} fields={<>
      <Select label="Who" data={[{ value: "account", label: "an account" }, { value: "group", label: "a group" }]} value={kind} allowDeselect={false} onChange={(k) => setKind(k as "account" | "group")} />
      {known.length ? <Select label="Name" required searchable data={known} value={name || null} onChange={(n) => setName(n ?? "")} /> : <TextInput label="Name" required value={name} onChange={(e) => setName(e.currentTarget.value)} />}
      <Select label="Role" data={ROLES} value={role} allowDeselect={false} onChange={(r) => setRole(r as Role)} />
    </>}>Add a member</FormAct>
  );
}

function ChangeRole({ of }: { of: Member }) {
  const [role, setRole] = useState<Role>(of.role);
  return (
    <FormAct title={`The role of ${of.name}`} yes="Change" verb="members/set" takes={() => ({ name: of.name, role, kind: of.kind })} twin={`flyball members set ${of.name} ${role}${of.kind === "group" ? " --group" : ""}`} button={SMALL}
      fields={<Select label="Role" data={ROLES} value={role} allowDeselect={false} onChange={(r) => setRole(r as Role)} />}>{of.role}</FormAct>
  );
}

function NewAccount() {
  const [name, setName] = useState(""), [fullName, setFullName] = useState(""), [password, setPassword] = useState(""), [kind, setKind] = useState<Account["kind"]>("user"), [role, setRole] = useState<Role>("contributor"), [isAdmin, setAdmin] = useState(false);
  return (
    <FormAct title="A new account" yes="Make it" verb="accounts/create" takes={() => ({ name, kind, full_name: fullName, password, admin: isAdmin, role })} twin={`flyball ${kind === "service" ? "service-accounts" : "users"} add ${name || "NAME"}${isAdmin ? " --admin" : ""} --role ${role}`} fields={<>
      <TextInput label="Name" required value={name} onChange={(e) => setName(e.currentTarget.value)} /><TextInput label="Full name" value={fullName} onChange={(e) => setFullName(e.currentTarget.value)} />
      <Select label="For" data={[{ value: "user", label: "a person" }, { value: "service", label: "a program, which comes with a token" }]} value={kind} allowDeselect={false} onChange={(k) => setKind(k as Account["kind"])} />
      {kind === "user" ? <PasswordInput label="Password" autoComplete="new-password" value={password} onChange={(e) => setPassword(e.currentTarget.value)} /> : null}
      <Select label="Role in this project" data={["none", ...ROLES]} value={role} allowDeselect={false} onChange={(r) => setRole(r as Role)} /><Checkbox label="Looks after the instance" checked={isAdmin} onChange={(e) => setAdmin(e.currentTarget.checked)} />
    </>}>New account</FormAct>
  );
}

function Switched({ of: { name, disabled } }: { of: Account }) {
  return (
    <>
      {disabled ? <State of="refused">shut out</State> : null}
      <Act verb="accounts/update" takes={{ name, disabled: !disabled }} twin={`flyball users set ${name} --${disabled ? "enable" : "disable"}`} question={disabled ? `Let ${name} in again?` : `Shut ${name} out? Sessions and tokens end at once; what they did stays.`} button={SMALL}>{disabled ? "Let in" : "Shut out"}</Act>
      <Act verb="accounts/delete" takes={{ name }} twin={`flyball users remove ${name}`} question={`Delete the account ${name}? What it did stays in the audit log.`} button={SMALL}>Delete</Act>
    </>
  );
}

function NewGroup() {
  const [name, setName] = useState(""), [description, setDescription] = useState("");
  return <FormAct title="A new group" yes="Make it" verb="groups/create" takes={() => ({ name, description })} twin={`flyball groups add ${name || "NAME"}`} fields={<><TextInput label="Name" required value={name} onChange={(e) => setName(e.currentTarget.value)} /><TextInput label="What for" value={description} onChange={(e) => setDescription(e.currentTarget.value)} /></>}>New group</FormAct>;
}

function InGroup({ of, accounts }: { of: Group; accounts: Account[] }) {
  const [account, setAccount] = useState<string | null>(null), [gone, setGone] = useState<string | null>(null);
  const others = accounts.map((a) => a.name).filter((name) => !of.accounts.includes(name));
  return (
    <>
      <FormAct title={`Put somebody into ${of.name}`} yes="Add" verb="groups/add" takes={() => ({ name: of.name, account: account ?? "" })} twin={`flyball groups join ${of.name} ${account ?? "ACCOUNT"}`} button={SMALL} fields={<Select label="Account" required searchable data={others} value={account} onChange={setAccount} />}>Add</FormAct>
      {of.accounts.length ? <FormAct title={`Take somebody out of ${of.name}`} yes="Take out" verb="groups/remove" takes={() => ({ name: of.name, account: gone ?? "" })} twin={`flyball groups leave ${of.name} ${gone ?? "ACCOUNT"}`} button={SMALL} fields={<Select label="Account" required data={of.accounts} value={gone} onChange={setGone} />}>Take out</FormAct> : null}
      <Act verb="groups/delete" takes={{ name: of.name }} twin={`flyball groups remove ${of.name}`} question={`Delete the group ${of.name} of ${plural(of.accounts.length, "account")}?`} button={SMALL}>Delete</Act>
    </>
  );
}
