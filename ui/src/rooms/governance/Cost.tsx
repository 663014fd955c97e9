// What work took and what that costs: by loop, pipeline, run, step or person; prices; budgets.

import { NumberInput, SegmentedControl, Select, SimpleGrid, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { href, useView } from "../../address";
import { ask, useAll } from "../../api/client";
import type { Budget, BudgetState, CostReport, CostRow, Prices } from "../../api/types";
import { beginning, bytes, count, lasted, percent, short, value } from "../../format";
import { Act } from "../../parts/act";
import { Empty, Facts, Figure, Link, Loaded, Panel, State, Twin } from "../../parts/basics";
import { FormAct } from "../../parts/form";
import { Table } from "../../parts/table";

type By = CostReport["by"];
const BY: By[] = ["loop", "pipeline", "run", "step", "who", "project"];

export function Cost() {
  const [view, setView] = useView({ by: "loop", since: "", until: "" });
  const from = useAll({ report: ask("cost/report", { by: view.by as By, limit: 200, ...(view.since ? { since: beginning(view.since) } : {}), ...(view.until ? { until: beginning(view.until) } : {}) }), prices: ask("cost/prices", {}), budgets: ask("cost/budgets", {}) });
  const options = [`--by ${view.by}`, ...(view.since ? [`--since ${view.since}`] : []), ...(view.until ? [`--until ${view.until}`] : [])].join(" ");
  return (
    <Loaded from={from}>{({ report, prices, budgets }) => {
      const money = (amount: number | null) => (amount === null ? "–" : `${value(amount)} ${report.currency || "core-hours"}`);
      return (
        <div className="stack">
          <div className="figures">
            <Figure label="Work" under={`${count(report.total.runs)} runs`}>{money(report.total.money)}</Figure>
            <Figure label="Processor time" under={`${lasted(report.total.wall_seconds)} by the clock`}>{lasted(report.total.core_seconds)}</Figure>
            <Figure label="Accelerators">{lasted(report.total.accelerator_seconds)}</Figure>
            <Figure label="Kept" under={report.storage_money === null ? "no price is set" : money(report.storage_money)}>{report.storage_bytes === null ? "–" : bytes(report.storage_bytes)}</Figure>
          </div>
          <Panel title="What it took" aside={<SegmentedControl data={BY} value={view.by} onChange={(by) => setView({ by })} aria-label="Added up by" />}>
            <div className="toolbar"><TextInput label="From" type="date" value={view.since} onChange={(e) => setView({ since: e.currentTarget.value })} /><TextInput label="Until before" type="date" value={view.until} onChange={(e) => setView({ until: e.currentTarget.value })} /></div>
            <Table rows={report.rows} id={(row) => row.key} first={40} empty={<Empty command="flyball cost">No work was measured in this time.</Empty>} columns={[
              { title: report.by, cell: (row) => <Key by={report.by} of={row} /> }, { title: "runs", number: true, cell: (row) => count(row.runs) }, { title: "processor time", number: true, cell: (row) => lasted(row.core_seconds) }, { title: "by the clock", number: true, cell: (row) => lasted(row.wall_seconds) },
              { title: "memory", number: true, cell: (row) => `${value(row.memory_byte_seconds / 2 ** 30 / 3600)} GiB h` }, { title: "accelerators", number: true, cell: (row) => (row.accelerator_seconds ? lasted(row.accelerator_seconds) : "–") }, { title: "money", number: true, cell: (row) => money(row.money) },
            ]} />
            <Twin>{`flyball cost ${options}`}</Twin>
          </Panel>
          <div className="grid">
            <div className="c8"><Budgets of={budgets} currency={report.currency || "core-hours"} /></div>
            <div className="c4"><Panel title="Prices" aside={<SetPrices of={prices} />}><Facts of={{ currency: prices.currency, "an hour of a core": value(prices.core_hour), "a GiB of memory for an hour": value(prices.memory_gib_hour), "an hour of an accelerator": value(prices.accelerator_hour), "a GiB kept for a month": value(prices.storage_gib_month) }} /><Twin>flyball cost prices</Twin></Panel></div>
          </div>
        </div>
      );
    }}</Loaded>
  );
}

function Key({ by, of: { key } }: { by: By; of: CostRow }) {
  if (!key) return <span className="soft">none</span>;
  if (by === "run") return <Link to={href(["runs", key])}>{short(key)}</Link>;
  return by === "loop" || by === "pipeline" ? <Link to={href([`${by}s`, key])}>{key}</Link> : <>{key}</>;
}

function Budgets({ of, currency }: { of: BudgetState[]; currency: string }) {
  return (
    <Panel title="Budgets" aside={<NewBudget />}>
      <Table rows={of} id={(one) => one.budget.name} first={40} empty={<Empty command="flyball cost budget NAME AMOUNT --loop LOOP">No budget yet. One opens an alert before it is spent:</Empty>} columns={[
        { title: "budget", cell: ({ budget }) => <strong>{budget.name}</strong> }, { title: "for", cell: ({ budget }) => (budget.key ? `${budget.scope} ${budget.key}` : "the whole project") }, { title: "a", cell: ({ budget }) => budget.period }, { title: "spent", number: true, cell: (one) => `${value(one.spent)} of ${value(one.budget.amount)} ${currency}` },
        { title: "", cell: (one) => <State of={one.share >= 1 ? "failed" : one.share >= one.budget.warn_at ? "warning" : "passed"}>{percent(one.share)}</State> },
        { title: "", cell: ({ budget }) => <Act verb="cost/remove_budget" takes={{ name: budget.name }} twin={`flyball cost budget ${budget.name} --remove`} question={`Take the budget ${budget.name} away?`} button={{ variant: "subtle", size: "compact-xs" }}>Remove</Act> },
      ]} />
      <Twin>flyball cost budgets</Twin>
    </Panel>
  );
}

function NewBudget() {
  const [name, setName] = useState(""), [amount, setAmount] = useState<number | string>(""), [scope, setScope] = useState<Budget["scope"]>("project"), [key, setKey] = useState(""), [period, setPeriod] = useState<Budget["period"]>("month"), [share, setShare] = useState<number | string>(80);
  return (
    <FormAct title="A budget" yes="Set it" verb="cost/set_budget" takes={() => ({ budget: { name, amount: Number(amount), scope, key: scope === "project" ? "" : key, period, warn_at: Number(share) / 100 } })} twin={`flyball cost budget ${name || "NAME"} ${amount || "AMOUNT"}${scope === "project" ? "" : ` --${scope} ${key || scope.toUpperCase()}`} --period ${period} --warn-at ${Number(share) / 100}`} fields={<>
      <TextInput label="Name" required value={name} onChange={(e) => setName(e.currentTarget.value)} />
      <SimpleGrid cols={2}><NumberInput label="Amount" required min={0} value={amount} onChange={setAmount} /><Select label="A" data={["day", "week", "month"]} value={period} allowDeselect={false} onChange={(p) => setPeriod(p as Budget["period"])} /></SimpleGrid>
      <Select label="For" data={[{ value: "project", label: "the whole project" }, { value: "loop", label: "a loop" }, { value: "pipeline", label: "a pipeline" }, { value: "who", label: "a person or service" }]} value={scope} allowDeselect={false} onChange={(s) => setScope(s as Budget["scope"])} />
      {scope === "project" ? null : <TextInput label="Its name" required value={key} onChange={(e) => setKey(e.currentTarget.value)} />}
      <NumberInput label="Warn at so many percent" min={1} max={100} value={share} onChange={setShare} />
    </>}>New budget</FormAct>
  );
}

function SetPrices({ of }: { of: Prices }) {
  const [prices, setPrices] = useState(of);
  const field = (key: Exclude<keyof Prices, "currency">, label: string) => <NumberInput label={label} min={0} value={prices[key]} onChange={(given) => setPrices({ ...prices, [key]: Number(given) })} />;
  return (
    <FormAct title="Prices" yes="Set them" verb="cost/set_prices" takes={() => ({ prices })} twin="flyball cost prices FILE" fields={<>
      <TextInput label="Currency" required value={prices.currency} onChange={(e) => setPrices({ ...prices, currency: e.currentTarget.value })} />
      <SimpleGrid cols={2}>{field("core_hour", "An hour of a core")}{field("memory_gib_hour", "A GiB of memory for an hour")}{field("accelerator_hour", "An hour of an accelerator")}{field("storage_gib_month", "A GiB kept for a month")}</SimpleGrid>
      <Text size="xs" c="dimmed">What was measured stays; only what it costs is worked out anew.</Text>
    </>}>Change</FormAct>
  );
}
