// One search for the best model: its leaderboard as it grows, and the file that it comes to.

import { Progress, Tabs, Text } from "@mantine/core";
import { go, href, useView } from "../../address";
import { ask, useAsked } from "../../api/client";
import type { Reads, Search } from "../../api/types";
import { bytes, count, lasted, plain, plural, value } from "../../format";
import { Act } from "../../parts/act";
import { Empty, Facts, Figure, Head, Link, Loaded, Panel, Ref, State, Twin, When } from "../../parts/basics";
import { Table } from "../../parts/table";
import { Talk } from "../../parts/talk";
import { FileShown } from "./FileShown";

type Candidate = Reads["automl/leaderboard"]["gives"][number];

const isOpen = ({ state }: Pick<Search, "state">): boolean => state === "queued" || state === "running";

export function SearchPage({ name }: { name: string }) {
  const found = useAsked({ ...ask("automl/get", { name }), refetchInterval: (search) => (search && isOpen(search) ? 2000 : false) });
  const open = found.data ? isOpen(found.data) : false;
  const board = useAsked({ ...ask("automl/leaderboard", { name, limit: 500 }), refetchInterval: () => (open ? 2000 : false) });
  const [view, setView] = useView({ tab: "board" });
  return (
    <Loaded from={{ data: found.data, error: found.error }}>{(search) => (
      <>
        <Head title={name} trail={[["Builder", "#/builder"]]} tag={<State of={search.state} />} under={`Predicts ${search.wanted.label} of ${search.wanted.dataset}${search.task ? `, a ${search.task}` : ""}`} actions={<Actions of={search} />} />
        {search.error ? <p className="note">{search.error}</p> : null}
        {search.state === "queued" ? <p className="note">It waits for a worker; `flyball up` has one.</p> : null}
        <div className="figures figures-top">
          <Figure label={`Best ${search.metric}`} under={search.result?.baseline == null ? "over the folds" : `${value(search.result.baseline)} without a model`} tone={search.result ? "good" : undefined}>{search.best === null ? "–" : value(search.best)}</Figure>
          <Figure label="On rows it never saw" under={search.held ? `${count(search.held)} rows are held back` : ""}>{search.result?.holdout == null ? "–" : value(search.result.holdout)}</Figure>
          <Figure label="Candidates" under={`${count(search.rows)} rows, ${plural(search.columns, "column")}`}>{search.candidates}</Figure>
          <Figure label="Time" under={`of ${lasted(search.wanted.budget)}`}>{lasted(search.spent)}</Figure>
        </div>
        {open ? <Progress mb="md" value={Math.min(100, (100 * search.spent) / search.wanted.budget)} aria-label="Share of the budget that is spent" /> : null}
        <Tabs value={view.tab} onChange={(tab) => setView({ tab: tab ?? "board" })} keepMounted={false} className="tabs">
          <Tabs.List><Tabs.Tab value="board">Leaderboard</Tabs.Tab><Tabs.Tab value="file">File</Tabs.Tab><Tabs.Tab value="notes">What was found</Tabs.Tab></Tabs.List>
          <div className="tab">
            <Tabs.Panel value="board"><Loaded from={{ data: board.data, error: board.error }}>{(candidates) => <Board of={candidates} search={search} />}</Loaded></Tabs.Panel>
            <Tabs.Panel value="file">{search.result?.file ? <Panel><Text size="sm" mb="sm">The winner as a project of your own: nothing in it is hidden, and no search is needed to run it again.</Text><FileShown text={search.result.file} name={`${name.replace(/[^A-Za-z0-9_]+/g, "_")}.py`} /><Twin>{`flyball searches file ${name}`}</Twin></Panel> : <Panel><Empty>{open ? "It is written when the search has ended." : "There is no winner, so there is no file."}</Empty></Panel>}</Tabs.Panel>
            <Tabs.Panel value="notes"><Notes of={search} /></Tabs.Panel>
          </div>
        </Tabs>
        <Talk about={`searches:/${name}`} />
      </>
    )}</Loaded>
  );
}

function Actions({ of: search }: { of: Search }) {
  const { name } = search;
  if (isOpen(search)) return <Act verb="automl/cancel" takes={{ name }} twin={`flyball searches cancel ${name}`} question="Stop the search? What its candidates have shown so far stays.">Cancel</Act>;
  return (
    <>
      {search.state === "finished" ? null : <Act verb="automl/start" takes={{ name, wanted: search.wanted, place: "worker" }} twin={`flyball automl ${search.wanted.dataset} --label ${search.wanted.label} --name ${name} --background`}>Go on</Act>}
      <Act verb="automl/delete" takes={{ name }} twin={`flyball searches delete ${name}`} question={`Delete the search ${name}? Runs and models stay.`} onDone={() => go(href(["builder"]))}>Delete</Act>
    </>
  );
}

function Board({ of, search }: { of: Candidate[]; search: Search }) {
  return (
    <Panel title="Leaderboard" aside={isOpen(search) ? "as it grows" : search.result?.stopped}>
      <Table rows={of} id={(c) => c.number} first={30} empty={<Empty>No candidate yet.</Empty>} columns={[
        { title: "no.", number: true, cell: (c) => (c.run ? <Link to={href(["runs", c.run])}>{c.number}</Link> : c.number) }, { title: "kind", cell: (c) => <>{c.family.replaceAll("_", " ")}{search.result?.winner === c.number ? <> <State of="champion">winner</State></> : null}</> }, { title: "state", cell: (c) => <State of={c.state} /> },
        { title: search.metric || "score", number: true, cell: (c) => <Score of={c} /> }, { title: "never seen", number: true, cell: (c) => value(c.holdout) }, { title: "a prediction", number: true, cell: (c) => (c.predict_ms === null ? "–" : `${value(c.predict_ms)} ms`) }, { title: "size", number: true, cell: (c) => (c.size === null ? "–" : bytes(c.size)) }, { title: "fitting", number: true, cell: (c) => (c.fit_seconds === null ? "–" : lasted(c.fit_seconds)) },
        { title: "settings", wide: true, cell: (c) => (c.error ? <span className="bad">{c.error}</span> : <details><summary className="soft small">{Object.keys(c.members).length ? Object.entries(c.members).map(([member, weight]) => `${member}: ${value(weight)}`).join(", ") : Object.entries(c.params).map(([key, given]) => `${key}=${plain(given)}`).join(", ") || "as they are"}</summary>{c.code ? <pre className="block">{c.code}</pre> : null}</details>) },
      ]} />
      <Twin>{`flyball searches show ${search.name}`}</Twin>
    </Panel>
  );
}

function Score({ of: { score, rungs } }: { of: Candidate }) {
  const last = rungs[rungs.length - 1];
  return <span title={last ? `rung ${last.rung}: ${plural(last.rows, "row")}, ${plural(last.folds, "fold")}` : ""}>{value(score)}{last?.spread != null ? <span className="soft"> ±{value(last.spread)}</span> : null}</span>;
}

function Notes({ of: search }: { of: Search }) {
  const importance = search.result?.importance?.columns ?? [];
  const most = Math.max(...importance.map((one) => Math.abs(one.value)), 1e-12);
  return (
    <div className="grid">
      <div className="c8 stack">
        <Panel title="What was found in the table, and done about it">{search.notes.length ? <ul className="plain-list">{search.notes.map((note) => <li key={note}>{note}</li>)}</ul> : <Empty>Nothing that needed to be said.</Empty>}</Panel>
        <Panel title="What each column is worth to the winner">{importance.length ? <div className="bars">{importance.slice(0, 30).map((one) => <div key={one.column} className="bar-row"><span className="bar-name">{one.column}</span><span className="bar-track"><i style={{ width: `${(100 * Math.max(0, one.value)) / most}%`, background: "var(--accent)" }} /></span><span className="n">{value(one.value)}</span></div>)}</div> : <Empty>It is measured when the search has ended.</Empty>}</Panel>
      </div>
      <div className="c4"><Panel title="Facts"><Facts of={{ data: search.snapshot ? <Ref to={search.snapshot} /> : search.wanted.dataset, label: search.wanted.label, "time of a row": search.wanted.time, groups: search.wanted.groups.join(", "), metric: search.metric ? `${search.metric}, ${search.direction}` : "", asked: <When at={search.created} />, ended: <When at={search.ended} />, "begun how often": search.attempt }} /></Panel></div>
    </div>
  );
}
