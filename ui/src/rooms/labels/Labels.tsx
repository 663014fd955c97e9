import { Progress, Text } from "@mantine/core";
import type { ViewProps } from "../../App";
import { href } from "../../address";
import { ask, useAll, useAsked } from "../../api/client";
import { count, percent, value } from "../../format";
import { Empty, Figure, Head, Link, Loaded, Panel, State, Twin, When } from "../../parts/basics";
import { Table } from "../../parts/table";
import { Work } from "./Work";

export default function Labels({ parts: [name, what] }: ViewProps) {
  if (name && what === "work") return <Work name={name} />;
  return name ? <SetPage name={name} /> : <SetList />;
}

function SetList() {
  const from = useAll({ sets: ask("labels/list", { limit: 300 }) });
  return (
    <>
      <Head title="Labels" under="What people say is true, written into a book in which nothing is overwritten." />
      <Loaded from={from}>{({ sets }) => sets.length ? (
        <div className="cards">{sets.map((set) => (
          <Panel key={set.name} title={<Link to={href(["labels", set.name])}>{set.name}</Link>} aside={<>{set.task} · {set.items}</>}>
            {set.description ? <Text size="sm" mb="xs">{set.description}</Text> : null}
            <Done name={set.name} /><Text size="sm" mt="xs"><Link to={href(["labels", set.name, "work"])}>Label now</Link></Text>
          </Panel>
        ))}</div>
      ) : <Empty command={"flyball labels create mood --task classify --items text --class good --class bad\nflyball labels add mood DATASET"}>No label set yet. Make one, and add the rows or files of a snapshot:</Empty>}</Loaded>
    </>
  );
}

function Done({ name }: { name: string }) {
  const { data } = useAsked(ask("labels/progress", { name }));
  if (!data) return null;
  const share = data.items ? data.done / data.items : 0;
  return <><Progress value={100 * share} size="sm" aria-label={`${percent(share)} done`} /><Text size="xs" c="dimmed" mt={4}>{count(data.done)} of {count(data.items)} done, {count(data.labels)} labels</Text></>;
}

function SetPage({ name }: { name: string }) {
  const from = useAll({ set: ask("labels/get", { name }), progress: ask("labels/progress", { name }), agreement: ask("labels/agreement", { name }), current: ask("labels/current", { name, limit: 200 }), book: ask("labels/list_labels", { name, limit: 100 }) });
  return (
    <Loaded from={from}>{({ set, progress, agreement, current, book }) => {
      const counts = new Map<string, number>();
      for (const label of current) counts.set(JSON.stringify(label.value), (counts.get(JSON.stringify(label.value)) ?? 0) + 1);
      return (
        <>
          <Head title={name} trail={[["Labels", "#/labels"]]} under={set.description || `${set.task} of ${set.items}, rule ${set.rule}, ${set.overlap} labels each`} actions={<a className="button" href={href(["labels", name, "work"])}>Label now</a>} />
          <div className="figures figures-top">
            <Figure label="Done" under={`of ${count(progress.items)}`}>{count(progress.done)}</Figure><Figure label="Handed out now">{count(progress.leased)}</Figure>
            <Figure label="Annotators">{Object.keys(progress.annotators).length}</Figure><Figure label="They agree" under={agreement.agree === null ? "nothing has two labels yet" : agreement.alpha === null ? "" : `Krippendorff's alpha ${value(agreement.alpha)}`}>{agreement.agree === null ? "–" : percent(agreement.agree)}</Figure>
          </div>
          <div className="grid">
            <Panel className="c6" title="What counts now">
              <Table rows={[...counts].sort((a, b) => b[1] - a[1])} id={([v]) => v} empty={<Empty command={`flyball labels work ${name}`}>Nothing is labelled yet.</Empty>} columns={[{ title: "label", cell: ([v]) => v.replace(/^"|"$/g, "") }, { title: "things", number: true, cell: ([, n]) => count(n) }]} />
            </Panel>
            <Panel className="c6" title="Who agrees with whom"><Table rows={agreement.pairs} id={(p) => `${p.first} ${p.second}`} empty={<Text size="sm" c="dimmed">No two people have labelled the same thing yet.</Text>} columns={[{ title: "one", cell: (p) => p.first }, { title: "other", cell: (p) => p.second }, { title: "things", number: true, cell: (p) => p.items }, { title: "agree", number: true, cell: (p) => percent(p.agree) }, { title: "kappa", number: true, cell: (p) => value(p.kappa) }]} /></Panel>
            <Panel title="The book"><Table rows={[...book].reverse()} id={(l) => l.number} first={20} empty={<Empty>It is empty.</Empty>} columns={[{ title: "when", cell: (l) => <When at={l.at} /> }, { title: "thing", cell: (l) => <span className="long">{l.item}</span>, wide: true }, { title: "label", cell: (l) => (l.value === null ? <State of="withdrawn">taken back</State> : typeof l.value === "string" ? l.value : JSON.stringify(l.value)) }, { title: "by", cell: (l) => l.annotator }]} /><Twin>{`flyball labels show ${name}`}</Twin></Panel>
          </div>
        </>
      );
    }}</Loaded>
  );
}
