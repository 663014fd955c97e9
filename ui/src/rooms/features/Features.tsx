import { SegmentedControl } from "@mantine/core";
import { lazy, Suspense } from "react";
import type { ViewProps } from "../../App";
import { href, useView } from "../../address";
import { ask, useAll, useAsked } from "../../api/client";
import type { FeaturesFreshness } from "../../api/types";
import { count, lasted, plural, span } from "../../format";
import { Code, Empty, Facts, Figure, Head, Link, Loaded, Panel, Ref, State, Twin, Waiting, When } from "../../parts/basics";
import { Rows } from "../../parts/rows";
import { Table } from "../../parts/table";
import { Talk } from "../../parts/talk";
import { boxesOf } from "../data/lineage";
import { Profile } from "../data/Profile";

const Graph = lazy(() => import("../../charts/Graph"));

export default function Features({ parts }: ViewProps) {
  return parts[0] ? <ViewPage name={parts[0]} /> : <ViewList />;
}

function Fresh({ of }: { of: FeaturesFreshness }) {
  if (of.newest === null) return <span className="soft">not served</span>;
  return <><State of={of.is_stale ? "stale" : "fresh"} /> <span className="soft">{of.age_seconds === null ? "" : `${lasted(of.age_seconds)} old`}</span></>;
}

function FreshOf({ name }: { name: string }) {
  const { data } = useAsked(ask("features_online/freshness", { view: name }));
  return data ? <Fresh of={data} /> : <>–</>;
}

function ViewList() {
  const from = useAll({ views: ask("features/list", { limit: 500 }), sets: ask("features/list_sets", {}) });
  return (
    <>
      <Head title="Features" under="What models are told of things, as it was known at the time." />
      <Loaded from={from}>{({ views, sets }) => (
        <div className="stack">
          <Panel title="Feature views">
            <Table rows={views} id={(v) => v.name} first={60} empty={<Empty command="flyball apply">No feature view yet. Declare one in the project with fb.feature_view, then:</Empty>} columns={[
              { title: "view", cell: (v) => <Link to={href(["features", v.name])}>{v.name}</Link> }, { title: "version", number: true, cell: (v) => v.version }, { title: "of", cell: (v) => v.entity.join(", ") }, { title: "source", cell: (v) => <span className="long">{v.source || v.function || v.query}</span>, wide: true }, { title: "kept for", cell: (v) => (v.ttl_seconds ? span(v.ttl_seconds) : "ever") }, { title: "served", cell: (v) => <FreshOf name={v.name} /> }, { title: "owner", cell: (v) => v.owner || "–" },
            ]} />
            <Twin>flyball features list</Twin>
          </Panel>
          {sets.length ? <Panel title="Sets">{sets.join(", ")}</Panel> : null}
        </div>
      )}</Loaded>
    </>
  );
}

function Served({ name, isServed }: { name: string; isServed: boolean }) {
  const [view, setView] = useView({ served: "statistics" });
  const profile = useAsked({ ...ask("features_online/statistics", { view: name }, isServed && view.served === "statistics"), staleTime: 60_000 });
  return (
    <Panel title="What is served now" aside={isServed ? <SegmentedControl data={["statistics", "values"]} value={view.served} onChange={(served) => setView({ served })} aria-label="What is shown of it" /> : null}>
      {!isServed ? <Empty command={`flyball features materialize ${name}`}>Nothing is served of it yet. Its newest values are brought into the store by:</Empty>
        : view.served === "values" ? <><Rows view={name} /><Twin>{`flyball features values ${name}`}</Twin></> : <><Loaded from={{ data: profile.data, error: profile.error }}>{(found) => <Profile of={found} />}</Loaded><Twin>{`flyball features values ${name} --statistics`}</Twin></>}
    </Panel>
  );
}

function ViewPage({ name }: { name: string }) {
  const from = useAll({
    versions: ask("features/history", { name }), fresh: ask("features_online/freshness", { view: name }), kept: ask("features/materialization", { name }), pushes: ask("features/pushes", { name }),
    usage: ask("catalog/usage", { ref: `features:/${name}` }), edges: ask("catalog/column_lineage", { ref: `features:/${name}` }),
  });
  return (
    <Loaded from={from}>{({ versions, fresh, kept, pushes, usage, edges }) => {
      const newest = versions[0];
      if (!newest) return <Empty>There is no version of it.</Empty>;
      const { view, schema } = newest;
      const graph = boxesOf(`features:/${name}/${view.version}`, usage.slice(0, 30).map((u) => ({ source: u.through || `features:/${name}/${view.version}`, target: u.ref, relation: u.relation })));
      return (
        <>
          <Head title={name} trail={[["Features", "#/features"]]} under={view.description || `version ${view.version}, declared ${newest.declared.slice(0, 10)}`} />
          <div className="figures figures-top">
            <Figure label="Served" under={fresh.newest ? <>newest <When at={fresh.newest} /></> : "flyball features materialize"}><span className="smaller"><Fresh of={fresh} /></span></Figure>
            <Figure label="Kept for serving" under={kept ? <>brought up to date <When at={kept.at} /></> : "never yet"}>{kept ? plural(kept.keys, "key") : "–"}</Figure><Figure label="Features">{schema?.columns.filter((c) => !view.entity.includes(c.name) && c.name !== view.time).length ?? "–"}</Figure><Figure label="Versions">{versions.length}</Figure>
          </div>
          <div className="grid">
            <div className="c8 stack">
              <Panel title="Features">
                <Table rows={schema?.columns ?? []} id={(c) => c.name} first={60} empty={<Empty command={`flyball features show ${name}`}>Its rows have not been read yet.</Empty>} columns={[{ title: "column", cell: (c) => c.name }, { title: "type", cell: (c) => c.type }, { title: "role", cell: (c) => (view.entity.includes(c.name) ? "entity" : c.name === view.time ? "time" : "feature") }, { title: "comes from", wide: true, cell: (c) => edges.filter((e) => e.target_column === c.name).map((e) => `${e.source_column} of ${e.source}`).join("\n") || "–" }]} />
                <Twin>{`flyball features show ${name}`}</Twin>
              </Panel>
              <Served name={name} isServed={fresh.newest !== null} />
              <Panel title="Who uses it">
                {graph.arrows.length ? <Suspense fallback={<Waiting />}><Graph boxes={graph.boxes} arrows={graph.arrows} label={`What is made with ${name}`} /></Suspense> : null}
                <Table rows={usage} id={(u) => `${u.ref} ${u.relation}`} first={10} empty={<Empty>Nobody yet.</Empty>} columns={[{ title: "what", cell: (u) => <Ref to={u.ref} /> }, { title: "how", cell: (u) => u.relation.replaceAll("_", " ") }, { title: "steps away", number: true, cell: (u) => u.steps }]} />
              </Panel>
              {pushes.length ? <Panel title="Pushes"><Table rows={[...pushes].reverse()} id={(p) => p.id} columns={[{ title: "when", cell: (p) => <When at={p.at} /> }, { title: "rows", number: true, cell: (p) => count(p.rows) }]} /></Panel> : null}
              <Talk about={`features:/${name}`} />
            </div>
            <div className="c4 stack">
              <Panel title="Facts"><Facts of={{ entity: view.entity.join(", "), time: view.time, source: view.source || view.query, function: view.function, "kept for": view.ttl_seconds ? span(view.ttl_seconds) : "ever", windows: view.windows.length, tests: view.tests.length, owner: view.owner, code: view.code ? <Code>{view.code.slice(0, 12)}</Code> : "–" }} /></Panel>
              <Panel title="Versions"><Table rows={versions} id={(v) => v.view.version} columns={[{ title: "version", number: true, cell: (v) => v.view.version }, { title: "declared", cell: (v) => <When at={v.declared} /> }, { title: "", cell: (v) => (v.is_latest ? <State of="champion">latest</State> : "") }]} /></Panel>
            </div>
          </div>
        </>
      );
    }}</Loaded>
  );
}
