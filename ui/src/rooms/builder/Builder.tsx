// The visual builder: choose data, label and budget; a search finds the model, or a plain pipeline is written down.

import { Button, Collapse, MultiSelect, NumberInput, SegmentedControl, Select, SimpleGrid, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import type { ViewProps } from "../../App";
import { go, href, useView } from "../../address";
import { ask, post, useAll, useAsked } from "../../api/client";
import type { Dataset, FeatureView, Wanted } from "../../api/types";
import { lasted, value } from "../../format";
import { Empty, Fault, Head, Link, Loaded, Panel, State, Twin, When } from "../../parts/basics";
import { Table } from "../../parts/table";
import { FileShown } from "./FileShown";
import { missing, projectFile, type Chosen, type Kind, type Model } from "./plain";
import { SearchPage } from "./SearchPage";

export default function Builder({ parts }: ViewProps) {
  return parts[0] ? <SearchPage name={parts[0]} /> : <Build />;
}

function Build() {
  const [view, setView] = useView({ how: "search", dataset: "", label: "" });
  const from = useAll({ datasets: ask("data/list", { limit: 500 }), views: ask("features/list", { limit: 500 }), searches: ask("automl/list", { limit: 100 }) });
  return (
    <>
      <Head title="Builder" under="From data to a model and the file that makes it, without writing any." />
      <Loaded from={from}>{({ datasets, views, searches }) => {
        const dataset = datasets.find((one) => one.name === view.dataset) ?? (datasets.length === 1 ? datasets[0] : undefined);
        return (
          <div className="stack">
            {datasets.length ? (
              <Panel title="What shall be predicted">
                <SimpleGrid cols={{ base: 1, sm: 3 }}>
                  <Select label="Data" required searchable data={datasets.map((one) => one.name)} value={dataset?.name ?? null} onChange={(name) => setView({ dataset: name ?? "", label: "" })} />
                  {dataset ? <Label of={dataset} value={view.label} onChange={(label) => setView({ label })} /> : null}
                  <div><Text size="xs" fw={500} mb={4}>How</Text><SegmentedControl value={view.how} onChange={(how) => setView({ how })} data={[{ value: "search", label: "Search the best model" }, { value: "plain", label: "A plain pipeline" }]} /></div>
                </SimpleGrid>
                {dataset ? (view.how === "plain" ? <Plain key={dataset.name} dataset={dataset} label={view.label || dataset.label} views={views} /> : <Search key={dataset.name} dataset={dataset} label={view.label || dataset.label} />) : null}
              </Panel>
            ) : <Panel><Empty command="flyball data snapshot NAME FILE">There is no data yet. Take a snapshot of a file, and it can be built on:</Empty></Panel>}
            <Panel title="Searches">
              <Table rows={searches} id={(s) => s.name} first={20} empty={<Empty command="flyball automl DATASET --label COLUMN">No search yet. Choose data and a column above, or:</Empty>} columns={[
                { title: "search", cell: (s) => <Link to={href(["builder", s.name])}>{s.name}</Link> }, { title: "state", cell: (s) => <State of={s.state} /> }, { title: "predicts", cell: (s) => `${s.wanted.label} of ${s.wanted.dataset}`, wide: true }, { title: "candidates", number: true, cell: (s) => s.candidates }, { title: "best", number: true, cell: (s) => (s.best === null ? "–" : `${s.metric} ${value(s.best)}`) },
                { title: "took", number: true, cell: (s) => (s.spent ? lasted(s.spent) : "–") }, { title: "asked", cell: (s) => <When at={s.created} /> },
              ]} />
              <Twin>flyball searches list</Twin>
            </Panel>
          </div>
        );
      }}</Loaded>
    </>
  );
}

function useColumns(dataset: string): string[] {
  return useAsked(ask("data/list_snapshots", { dataset, limit: 1 })).data?.[0]?.schema?.columns.map((column) => column.name) ?? [];
}

function Label({ of, value: chosen, onChange }: { of: Dataset; value: string; onChange: (label: string) => void }) {
  const columns = useColumns(of.name);
  if (!columns.length) return <TextInput label="Column" required value={chosen || of.label} onChange={(e) => onChange(e.currentTarget.value)} />;
  return <Select label="Column" required searchable data={columns} value={chosen || of.label || null} onChange={(label) => onChange(label ?? "")} />;
}

const TASKS = [{ value: "", label: "told from the column" }, { value: "classification", label: "which of several" }, { value: "regression", label: "how much" }, { value: "forecasting", label: "how it goes on" }];

function Search({ dataset, label }: { dataset: Dataset; label: string }) {
  const columns = useColumns(dataset.name);
  const [wanted, setWanted] = useState<Partial<Wanted>>({ budget: 120, task: "", time: dataset.time, groups: [], horizon: 1, jobs: 1, metric: "" });
  const [name, setName] = useState("");
  const [isMore, setMore] = useState(false);
  const called = name || `${dataset.name}-${label}`;
  const starting = useMutation({
    mutationFn: () => post("automl/start", { name: called, wanted: { dataset: dataset.name, label, families: [], seed: 0, ...wanted } as Wanted, place: "worker" }),
    onSuccess: (made) => go(href(["builder", made.name])),
  });
  const change = (one: Partial<Wanted>) => setWanted({ ...wanted, ...one });
  const options = [`--label ${label || "COLUMN"}`, `--budget ${wanted.budget}`, ...(wanted.task ? [`--task ${wanted.task}`] : []), ...(wanted.time ? [`--time ${wanted.time}`] : []), ...(wanted.groups ?? []).map((group) => `--group ${group}`), ...(wanted.metric ? [`--metric ${wanted.metric}`] : []), ...(wanted.task === "forecasting" ? [`--horizon ${wanted.horizon}`] : []), ...(name ? [`--name ${name}`] : []), "--background"];
  return (
    <form className="build" onSubmit={(event) => {
      event.preventDefault();
      starting.mutate();
    }}>
      <SimpleGrid cols={{ base: 1, sm: 3 }}>
        <NumberInput label="Budget in seconds" required min={1} max={604_800} value={wanted.budget} onChange={(budget) => change({ budget: Number(budget) })} /><Select label="It is" data={TASKS} value={wanted.task ?? ""} allowDeselect={false} onChange={(task) => change({ task: (task ?? "") as Wanted["task"] })} />
        <Select label="Time of a row" description={isMore ? "Candidates are judged on what came later" : undefined} clearable data={columns} value={wanted.time || null} onChange={(time) => change({ time: time ?? "" })} />
      </SimpleGrid>
      <Button variant="subtle" size="compact-xs" mt="xs" aria-expanded={isMore} onClick={() => setMore(!isMore)}>{isMore ? "Less" : "More"}</Button>
      <Collapse expanded={isMore}>
        <SimpleGrid cols={{ base: 1, sm: 3 }}>
          <MultiSelect label="Columns that group rows" description="A group is learned from or judged on, never both" clearable data={columns} value={wanted.groups ?? []} onChange={(groups) => change({ groups })} /><TextInput label="Metric" description="Such as roc_auc, log_loss, rmse" value={wanted.metric} onChange={(e) => change({ metric: e.currentTarget.value })} /><NumberInput label="Tried at once" description="Candidates" min={1} max={64} value={wanted.jobs} onChange={(jobs) => change({ jobs: Number(jobs) })} />
          {wanted.task === "forecasting" ? <NumberInput label="Steps ahead" min={1} value={wanted.horizon} onChange={(horizon) => change({ horizon: Number(horizon) })} /> : null}<TextInput label="Name" placeholder={called} value={name} onChange={(e) => setName(e.currentTarget.value)} />
        </SimpleGrid>
      </Collapse>
      {starting.error ? <Fault of={starting.error} /> : null}
      <Button type="submit" mt="md" loading={starting.isPending} disabled={!label}>Search</Button>
      <Twin>{`flyball automl ${dataset.name} ${options.join(" ")}`}</Twin>
    </form>
  );
}

function Plain({ dataset, label, views }: { dataset: Dataset; label: string; views: FeatureView[] }) {
  const columns = useColumns(dataset.name);
  const [view, setView] = useView({ kind: "classification", model: "boosting", holdout: dataset.time ? "14d" : "20%", views: "", without: "", slices: "", cron: "0 3 * * 1", name: "" });
  const split = (text: string) => text.split(",").filter(Boolean);
  const others = columns.filter((column) => column !== label);
  const chosen: Chosen = {
    name: view.name, dataset, label, leftOut: split(view.without), views: views.filter((one) => split(view.views).includes(one.name)), kind: view.kind as Kind, model: view.model as Model, holdout: view.holdout, slices: split(view.slices), schedule: view.cron,
  };
  const why = missing(chosen);
  return (
    <div className="build">
      <SimpleGrid cols={{ base: 1, sm: 3 }}>
        <Select label="It is" allowDeselect={false} data={TASKS.slice(1, 3)} value={view.kind} onChange={(kind) => setView({ kind: kind ?? "classification" })} /><Select label="Model" allowDeselect={false} data={[{ value: "boosting", label: "boosted trees" }, { value: "forest", label: "random forest" }, { value: "linear", label: "linear" }]} value={view.model} onChange={(model) => setView({ model: model ?? "boosting" })} />
        <TextInput label="Held out to judge by" value={view.holdout} onChange={(e) => setView({ holdout: e.currentTarget.value })} /><MultiSelect label="Features joined as they were known" clearable data={views.filter((one) => one.source && !one.function && !one.query).map((one) => one.name)} value={split(view.views)} onChange={(names) => setView({ views: names.join(",") })} />
        <MultiSelect label="Columns the model must not look at" clearable searchable data={others} value={split(view.without)} onChange={(names) => setView({ without: names.join(",") })} /><MultiSelect label="Judged by group, too" clearable searchable data={others} value={split(view.slices)} onChange={(names) => setView({ slices: names.join(",") })} />
        <TextInput label="Trained again (cron, UTC)" value={view.cron} onChange={(e) => setView({ cron: e.currentTarget.value })} /><TextInput label="Name of the model" placeholder={`${dataset.name}-${label}`} value={view.name} onChange={(e) => setView({ name: e.currentTarget.value })} />
      </SimpleGrid>
      {why ? <Text size="sm" c="dimmed" mt="md">{why}</Text> : <FileShown text={projectFile(chosen)} name="project.py" />}
    </div>
  );
}
