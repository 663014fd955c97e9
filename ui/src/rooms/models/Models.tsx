import type { ViewProps } from "../../App";
import { href } from "../../address";
import { ask, useAll } from "../../api/client";
import { Empty, Head, Link, Loaded, Panel, Twin, When } from "../../parts/basics";
import { Table } from "../../parts/table";
import { ModelPage } from "./ModelPage";
import { VersionPage } from "./VersionPage";

export default function Models({ parts: [model, version] }: ViewProps) {
  if (model && version) return <VersionPage model={model} version={Number(version)} />;
  return model ? <ModelPage name={model} /> : <ModelList />;
}

function ModelList() {
  const from = useAll({ models: ask("registry/list_models", { limit: 500 }) });
  return (
    <>
      <Head title="Models" under="What was trained and registered, version by version." />
      <Loaded from={from}>{({ models }) => (
        <Panel>
          <Table rows={models} id={(m) => m.name} first={50} empty={<Empty command="flyball run PIPELINE">No model yet. A pipeline whose step calls fb.register makes one:</Empty>} columns={[
            { title: "model", cell: (m) => <Link to={href(["models", m.name])}>{m.name}</Link> }, { title: "description", cell: (m) => m.description || "–", wide: true }, { title: "versions", number: true, cell: (m) => m.versions },
            { title: "champion", number: true, cell: (m) => (m.champion === null ? "–" : <Link to={href(["models", m.name, m.champion])}>{m.champion}</Link>) }, { title: "latest", number: true, cell: (m) => <Link to={href(["models", m.name, m.latest])}>{m.latest}</Link> },
            { title: "changed", cell: (m) => <When at={m.updated} /> },
          ]} />
          <Twin>flyball models list</Twin>
        </Panel>
      )}</Loaded>
    </>
  );
}
