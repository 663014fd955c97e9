// Traces of applications: each call as a tree of spans on one line of time.

import { Button, TextInput } from "@mantine/core";
import { useState } from "react";
import type { ViewProps } from "../../App";
import { go, href, useView } from "../../address";
import { ask, useAll } from "../../api/client";
import type { Span, Trace } from "../../api/types";
import { count, lasted, plain, short } from "../../format";
import { Act } from "../../parts/act";
import { Empty, Facts, Head, Link, Loaded, Panel, State, Twin, When } from "../../parts/basics";
import { Table } from "../../parts/table";

export default function Traces({ parts }: ViewProps) {
  return parts[0] ? <TracePage id={parts[0]} /> : <TraceList />;
}

const tokens = (trace: Trace): string => Object.entries(trace.tokens).map(([key, n]) => `${key} ${count(n)}`).join(", ");

function TraceList() {
  const [view, setView] = useView({ filter: "" });
  const [filter, setFilter] = useState(view.filter);
  const from = useAll({ page: ask("traces/search", { filter: view.filter, limit: 100 }) });
  return (
    <>
      <Head title="Traces" under="What applications did, call by call." />
      <form className="toolbar" onSubmit={(event) => {
        event.preventDefault();
        setView({ filter });
      }}><TextInput className="grow filter" label="Filter" placeholder="trace.status = 'ERROR' AND trace.execution_time_ms > 500" value={filter} onChange={(e) => setFilter(e.currentTarget.value)} /><Button type="submit" variant="default">Search</Button></form>
      <Loaded from={from}>{({ page }) => (
        <Panel>
          <Table rows={page.traces} id={(t) => t.id} first={100} empty={<Empty command={"import flyball as fb\n\n@fb.trace\ndef answer(question): ..."}>{view.filter ? "No trace fits." : "No trace yet. Any function can leave them, and so can any program that speaks OpenTelemetry or MLflow:"}</Empty>} columns={[
            { title: "trace", cell: (t) => <Link to={href(["traces", t.id])}>{t.name || short(t.id)}</Link> }, { title: "state", cell: (t) => <State of={t.state === "error" ? "failed" : t.state === "ok" ? "finished" : t.state}>{t.state.replace("_", " ")}</State> }, { title: "began", cell: (t) => <When at={t.started} /> }, { title: "took", number: true, cell: (t) => (t.milliseconds === null ? "–" : lasted(t.milliseconds / 1000)) },
            { title: "asked", cell: (t) => t.request_preview?.slice(0, 160) || "–", wide: true }, { title: "tokens", cell: (t) => tokens(t) || "–" }, { title: "judged", cell: (t) => t.assessments.length || "–" },
          ]} />
          <Twin>flyball traces list</Twin>
        </Panel>
      )}</Loaded>
    </>
  );
}

function TracePage({ id }: { id: string }) {
  const from = useAll({ trace: ask("traces/get", { trace: id }) });
  return (
    <Loaded from={from}>{({ trace }) => (
      <>
        <Head title={trace.name || short(trace.id)} trail={[["Traces", "#/traces"]]} tag={<State of={trace.state === "error" ? "failed" : "finished"}>{trace.state.replace("_", " ")}</State>} under={<><When at={trace.started} />{trace.milliseconds === null ? "" : `, ${lasted(trace.milliseconds / 1000)}`}</>}
          actions={<Act verb="traces/delete" takes={{ traces: [id] }} twin={`flyball traces delete ${id}`} question="Delete this trace for good, with its spans and judgements?" onDone={() => go(href(["traces"]))}>Delete</Act>} />
        <div className="grid">
          <div className="c8"><Panel title={`Spans (${trace.spans.length})`}><Spans of={trace.spans} /><Twin>{`flyball traces show ${id}`}</Twin></Panel></div>
          <div className="c4 stack">
            <Panel title="Facts"><Facts of={{ session: trace.session ?? "", tokens: tokens(trace), cost: Object.entries(trace.cost).map(([key, n]) => `${key} ${n}`).join(", "), ...Object.fromEntries(Object.entries(trace.tags).filter(([key]) => !key.startsWith("mlflow.")).map(([key, given]) => [key, given])) }} /></Panel>
            <Panel title="Judgements"><Table rows={trace.assessments} id={(a) => a.id} empty={<Empty>Nobody has judged it.</Empty>} columns={[{ title: "name", cell: (a) => a.name }, { title: "says", cell: (a) => plain((a as unknown as { value?: unknown }).value), wide: true }]} /></Panel>
          </div>
        </div>
      </>
    )}</Loaded>
  );
}

function Spans({ of }: { of: Span[] }) {
  const [chosen, setChosen] = useState("");
  if (!of.length) return <Empty>It has no spans.</Empty>;
  const first = Math.min(...of.map((s) => s.started_ns)), last = Math.max(...of.map((s) => s.ended_ns ?? s.started_ns), first + 1);
  const known = new Set(of.map((s) => s.id));
  const under = (parent: string): Span[] => of.filter((s) => (parent ? s.parent === parent : !known.has(s.parent))).sort((a, b) => a.started_ns - b.started_ns);
  const line = (span: Span, depth: number): React.ReactNode => (
    <li key={span.id}>
      <button type="button" className="span" aria-expanded={chosen === span.id} onClick={() => setChosen(chosen === span.id ? "" : span.id)}>
        <span className="span-name" style={{ paddingLeft: 14 * Math.min(depth, 12) }}>{span.name} <span className="soft small">{span.type.toLowerCase()}</span></span>
        <span className="bar-track"><i style={{ marginLeft: `${(100 * (span.started_ns - first)) / (last - first)}%`, width: `${Math.max(0.6, (100 * ((span.ended_ns ?? last) - span.started_ns)) / (last - first))}%`, background: span.status === "error" ? "var(--bad)" : "var(--accent)" }} /></span>
        <span className="n small">{span.ended_ns === null ? "runs" : lasted((span.ended_ns - span.started_ns) / 1e9)}</span>
      </button>
      {chosen === span.id ? <pre className="block" tabIndex={0}>{[span.message ? `error: ${span.message}` : "", `inputs: ${plain(span.inputs)}`, `outputs: ${plain(span.outputs)}`, ...Object.entries(span.attributes).map(([key, given]) => `${key}: ${plain(given)}`)].filter(Boolean).join("\n")}</pre> : null}
      {under(span.id).length ? <ul className="spans">{under(span.id).map((inner) => line(inner, depth + 1))}</ul> : null}
    </li>
  );
  return <ul className="spans">{under("").map((span) => line(span, 0))}</ul>;
}
