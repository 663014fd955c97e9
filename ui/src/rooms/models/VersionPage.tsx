import { Tabs, Text } from "@mantine/core";
import { lazy, Suspense } from "react";
import { href, useView } from "../../address";
import { ask, useAll, useAsked } from "../../api/client";
import type { Approval, GateDecision, ModelCard, ModelVersion, RegistryStanding } from "../../api/types";
import { bytes, plain, short, words } from "../../format";
import { Act, REASON } from "../../parts/act";
import { Code, Empty, Facts, Head, Link, Loaded, Panel, Ref, State, Twin, Waiting, When } from "../../parts/basics";
import { Table } from "../../parts/table";
import { Talk } from "../../parts/talk";
import { boxesOf } from "../data/lineage";
import { Evaluation } from "./Evaluation";
import { TryIt } from "./TryIt";

const Graph = lazy(() => import("../../charts/Graph"));

export function VersionPage({ model, version }: { model: string; version: number }) {
  const ref = `${model}/${version}`;
  const from = useAll({
    made: ask("registry/get_version", { ref }), standing: ask("lifecycle/get", { ref }), card: ask("model_cards/get", { ref }), requests: ask("approvals/list", { ref, limit: 20 }),
    signed: ask("signatures/list", { ref }), deployments: ask("deployments/list", { limit: 1000 }),
  });
  const [view, setView] = useView({ tab: "card" });
  return (
    <Loaded from={from}>{({ made, standing, card, requests, signed, deployments }) => {
      const deployment = deployments.find((d) => d.model === model && (d.champion === version || d.rollout?.to_version === version)) ?? deployments.find((d) => d.model === model);
      return (
        <>
          <Head title={`${model} version ${version}`} trail={[["Models", "#/models"], [model, href(["models", model])]]} tag={<State of={standing.stage} />}
            under={<>registered <When at={made.created} />, {made.package.flavor.replaceAll("_", " ")}, {bytes(made.package.size)}{standing.aliases.length ? `, alias ${standing.aliases.join(", ")}` : ""}</>} actions={<Actions name={ref} model={model} standing={standing} requests={requests} />} />
          {standing.retirement ? <p className="note">Retired <When at={standing.retirement.at} />: {standing.retirement.reason || "no reason given"}.</p> : null}
          {standing.deprecation ? <p className="note">Deprecated: {standing.deprecation.reason}{standing.deprecation.instead ? ` Use ${standing.deprecation.instead} instead.` : ""}</p> : null}
          <Tabs value={view.tab} onChange={(tab) => setView({ tab: tab ?? "card" })} keepMounted={false} className="tabs">
            <Tabs.List>{[["card", "Card"], ["evaluation", "Evaluation"], ["gates", "Gates"], ["try", "Try it"], ["lineage", "Lineage"], ["people", `People${requests.length ? ` (${requests.length})` : ""}`]].map(([key, name]) => <Tabs.Tab key={key} value={key!}>{name}</Tabs.Tab>)}</Tabs.List>
            <div className="tab">
              <Tabs.Panel value="card"><div className="grid"><div className="c8 stack"><Card of={card} /></div><div className="c4 stack"><Panel title="Facts"><Made of={made} standing={standing} signed={signed.map((s) => `${s.by || "someone"} with key ${short(s.key)}`)} /></Panel></div></div></Tabs.Panel>
              <Tabs.Panel value="evaluation"><Evaluation of={made} /></Tabs.Panel>
              <Tabs.Panel value="gates"><Panel title="What the gates said" aside={made.verdict ? <State of={made.verdict.passed ? "passed" : "refused"} /> : null}><Judged of={made.verdict?.decisions ?? []} /></Panel></Tabs.Panel>
              <Tabs.Panel value="try">{deployment ? <TryIt deployment={deployment.name} version={version} /> : <Panel><Empty command={`flyball deployments deploy ${model} ${ref}`}>It is not deployed, so nothing answers here. Deploy it, or ask it in a terminal with flyball predict.</Empty></Panel>}</Tabs.Panel>
              <Tabs.Panel value="lineage"><Origin about={`models:/${ref}`} /></Tabs.Panel>
              <Tabs.Panel value="people"><div className="stack"><Panel title="Approvals"><Approvals of={requests} /></Panel><Talk about={`models:/${ref}`} /></div></Tabs.Panel>
            </div>
          </Tabs>
          <Twin>{`flyball models card ${ref}`}</Twin>
        </>
      );
    }}</Loaded>
  );
}

function Actions({ name, model, standing, requests }: { name: string; model: string; standing: RegistryStanding; requests: Approval[] }) {
  const open = requests.find((r) => r.state === "requested");
  const takes = { ref: name, by: "", reason: "" };
  if (standing.retirement) return <Act verb="lifecycle/restore" takes={{ ref: name }} twin={`flyball models restore ${name}`} question={`Bring ${name} back?`} by>Restore</Act>;
  return (
    <>
      {open ? (
        <>
          <Act verb="approvals/approve" takes={takes} twin={`flyball models approve ${name}`} question={`Approve ${name}?`} text={REASON} by button={{ variant: "filled" }}>Approve</Act>
          <Act verb="approvals/reject" takes={takes} twin={`flyball models reject ${name}`} question={`Reject ${name}?`} text={{ ...REASON, isNeeded: true }} by>Reject</Act>
        </>
      ) : <Act verb="approvals/request" takes={{ ref: name, by: "" }} twin={`flyball models request ${name}`} question={`Ask that ${name} be approved?`} text={{ name: "note", label: "Note" }} by>Ask for approval</Act>}
      {standing.deprecation ? <Act verb="lifecycle/undeprecate" takes={{ ref: name }} twin={`flyball models undeprecate ${name}`} question={`Take back that ${name} is deprecated?`} by>Take deprecation back</Act>
        : <Act verb="lifecycle/deprecate" takes={{ ref: name, reason: "" }} twin={`flyball models deprecate ${name}`} question={`Say that ${name} should no longer be used?`} text={{ ...REASON, isNeeded: true }} by>Deprecate</Act>}
      {standing.stage === "champion" ? <Act verb="lifecycle/rollback" takes={{ model }} twin={`flyball models rollback ${model}`} question={`Make the former champion of ${model} the champion again?`} text={REASON} by>Roll back</Act>
        : standing.held_by.length ? null : <Act verb="lifecycle/retire" takes={{ ref: name }} twin={`flyball models retire ${name}`} question={`End the life of ${name} and free its files?`} text={REASON} by>Retire</Act>}
    </>
  );
}

function Card({ of }: { of: ModelCard }) {
  return (
    <>
      {of.sections.map((section) => (
        <Panel key={section.heading} title={section.heading}>
          {section.statements.map((s) => <Text key={s.text} size="sm" title={s.source} mb={4} className="long">{s.text.replace(/([0-9a-f]{12})[0-9a-f]{20,}/g, "$1…")}</Text>)}
          {section.tables.map((t) => <Table key={t.source + t.columns.join()} rows={t.rows.map((cells, place) => ({ cells, place }))} id={(r) => r.place} first={12} columns={t.columns.map((title, c) => ({ title, cell: (r: { cells: string[] }) => r.cells[c] }))} />)}
        </Panel>
      ))}
      {of.own.map((section) => <Panel key={section.heading} title={section.heading} aside={<>{section.by}, <When at={section.updated} /></>}><p className="notes">{section.text}</p></Panel>)}
    </>
  );
}

function Made({ of, standing, signed }: { of: ModelVersion; standing: RegistryStanding; signed: string[] }) {
  const { environment, signature } = of.package;
  return (
    <Facts of={{
      run: of.run ? <Link to={href(["runs", of.run])}>{short(of.run)}</Link> : "–", data: of.snapshots.length ? <>{of.snapshots.map((s) => <div key={s}><Ref to={s} /></div>)}</> : "–", label: of.label, code: of.code ? <Code>{short(of.code)}</Code> : "–",
      params: Object.entries(of.params).map(([k, v]) => `${k}=${plain(v)}`).join("\n"), task: signature.task, inputs: `${signature.inputs.columns.length} columns`, "held by": standing.held_by.join(", "), "signed by": signed.join("\n"), python: environment.python, package: <Code>{short(of.package.id)}</Code>, description: of.description,
    }} />
  );
}

function Judged({ of }: { of: GateDecision[] }) {
  return (
    <Table rows={of} id={(d) => d.gate} empty={<Empty>The gates have not judged it.</Empty>} columns={[
      { title: "gate", cell: (d) => d.gate }, { title: "says", cell: (d) => <State of={d.passed ? "passed" : "refused"} /> }, { title: "because", cell: (d) => d.reason, wide: true },
      { title: "facts", cell: (d) => <span className="soft small">{Object.entries(d.facts).filter(([, v]) => typeof v !== "object").slice(0, 8).map(([k, v]) => `${words(k)} ${plain(v)}`).join(" · ")}</span> },
    ]} />
  );
}

function Approvals({ of }: { of: Approval[] }) {
  return (
    <Table rows={of} id={(r) => r.id} empty={<Text size="sm" c="dimmed">Nobody has asked for one.</Text>} columns={[
      { title: "asked", cell: (r) => <When at={r.requested} /> }, { title: "by", cell: (r) => r.requested_by }, { title: "state", cell: (r) => <State of={r.state} /> }, { title: "needed", number: true, cell: (r) => r.needed }, { title: "note", cell: (r) => r.note || "–" },
      { title: "words", wide: true, cell: (r) => r.words.map((w) => `${w.by}: ${w.word}${w.reason ? `, ${w.reason}` : ""}`).join("\n") || "–" },
    ]} />
  );
}

export function Origin({ about }: { about: string }) {
  const from = useAll({ up: ask("lineage/upstream", { ref: about, depth: 6 }), down: ask("lineage/downstream", { ref: about, depth: 4 }) });
  const owner = useAsked(ask("catalog/usage", { ref: about }));
  return (
    <Loaded from={from}>{({ up, down }) => {
      const { boxes, arrows } = boxesOf(about, [...up, ...down]);
      return (
        <div className="stack">
          <Panel title="Where it comes from, and what came of it">{arrows.length ? <Suspense fallback={<Waiting />}><Graph boxes={boxes} arrows={arrows} label={`Lineage of ${about}`} /></Suspense> : <Empty>Nothing is known of where it comes from.</Empty>}</Panel>
          {owner.data?.length ? <Panel title="Who uses it"><Table rows={owner.data} id={(u) => u.ref} columns={[{ title: "what", cell: (u) => <Ref to={u.ref} /> }, { title: "how", cell: (u) => words(u.relation), wide: true }, { title: "through", cell: (u) => (u.through ? <Ref to={u.through} /> : "–") }]} /></Panel> : null}
        </div>
      );
    }}</Loaded>
  );
}
