import { Button, Text } from "@mantine/core";
import { useState } from "react";
import { href, hrefOfRef } from "../address";
import { ask, useAll, useAsked } from "../api/client";
import type { Alert, Approval, Event, LabelSet, LoopState, Run } from "../api/types";
import { count, plural, short } from "../format";
import { useName } from "../parts/act";
import { Empty, Figure, Head, Link, Loaded, Panel, Ref, State, When } from "../parts/basics";
import { sentence } from "../parts/sentence";
import { NoLoop } from "./loops/Loops";
import { LoopCard } from "./loops/LoopCard";

const SEEN = "flyball-seen-event";
const NOISE = ["tracking.run_started", "tracking.run_ended", "monitoring.window_examined", "registry.alias_moved"];

export function Home() {
  const from = useAll({
    loops: ask("loops/list", { limit: 100 }), alerts: ask("alerts/list", { state: "active", limit: 200 }), approvals: ask("approvals/list", { state: "requested", limit: 50 }),
    events: ask("events/list", { newest_first: true, limit: 300 }), running: ask("run_search/search", { filter: "attributes.state = 'running'", limit: 20, total: true }), labels: ask("labels/list", { limit: 50 }),
  });
  return (
    <>
      <Head title="Home" under="Every loop at a glance, what needs somebody, and what happened." />
      <Loaded from={from}>{({ loops, alerts, approvals, events, running, labels }) => (
        <>
          <Numbers loops={loops} alerts={alerts} approvals={approvals} running={running.total ?? running.runs.length} />
          <div className="grid">
            <div className="c8 stack">
              {loops.length ? <div className="cards">{loops.map((one) => <LoopCard key={one.loop.name} state={one} alerts={alerts} to={href(["loops", one.loop.name])} />)}</div> : <Panel title="Loops"><NoLoop /></Panel>}
              <Since events={events} />
            </div>
            <div className="c4 stack">
              <Needs alerts={alerts} approvals={approvals} labels={labels} />
              {running.runs.length ? <Running runs={running.runs} /> : null}
            </div>
          </div>
        </>
      )}</Loaded>
    </>
  );
}

function Numbers({ loops, alerts, approvals, running }: { loops: LoopState[]; alerts: Alert[]; approvals: Approval[]; running: number }) {
  const busy = loops.filter((l) => l.state === "training" || l.state === "rolling out").length;
  const open = alerts.filter((a) => a.state === "open").length;
  return (
    <div className="figures figures-top">
      <Figure label="Loops" under={busy ? `${busy} at work now` : "all watching"}>{loops.length}</Figure>
      <Figure label="Open alerts" under={plural(alerts.length, "active alert")} tone={open ? "bad" : "good"}>{open}</Figure>
      <Figure label="Waiting for approval" tone={approvals.length ? "warn" : undefined}>{approvals.length}</Figure>
      <Figure label="Runs under way">{count(running)}</Figure>
    </div>
  );
}

function Mentions() {
  const me = useAsked({ ...ask("accounts/whoami", {}), staleTime: 300_000 }).data;
  const [given] = useName();
  const name = me?.proven ? me.name : given;
  const { data } = useAsked(ask("comments/mentions", { name, limit: 5 }, name !== ""));
  return <>{data?.map((one) => <li key={one.id}><State of="requested">for you</State><Link to={hrefOfRef(one.ref) || "#/events"}>{one.by}: {one.text.slice(0, 90)}</Link><span className="soft"><When at={one.at} relative /></span></li>)}</>;
}

function Needs({ alerts, approvals, labels }: { alerts: Alert[]; approvals: Approval[]; labels: LabelSet[] }) {
  const open = alerts.filter((a) => a.state === "open");
  const isQuiet = !open.length && !approvals.length && !labels.length;
  return (
    <Panel title="Needs you">
      {isQuiet ? <Text size="sm" c="dimmed">Nothing. Alerts, approvals and things to label will stand here.</Text> : null}
      <ul className="needs">
        <Mentions />
        {approvals.map((a) => <li key={a.id}><State of="requested">approval</State><Link to={href(["models", a.model, a.version])}>{a.model} version {a.version}</Link><span className="soft">asked by {a.requested_by}</span></li>)}
        {open.slice(0, 8).map((a) => <li key={a.id}><State of={a.severity} /><Link to={href(["alerts"], { alert: a.id })}>{a.title}</Link><span className="soft"><When at={a.last_seen} relative /></span></li>)}
        {labels.map((set) => <li key={set.name}><State of="labels">labels</State><Link to={href(["labels", set.name])}>{set.name}</Link></li>)}
      </ul>
    </Panel>
  );
}

function Running({ runs }: { runs: Run[] }) {
  return <Panel title="Under way"><ul className="needs">{runs.slice(0, 8).map((r) => <li key={r.id}><State of={r.state} /><Link to={href(["runs", r.id])}>{r.name || short(r.id)}</Link><span className="soft"><When at={r.started} relative /></span></li>)}</ul></Panel>;
}

function Since({ events }: { events: Event[] }) {
  const [seen, setSeen] = useState(() => Number(localStorage.getItem(SEEN) ?? 0));
  const told = events.filter((e) => !NOISE.includes(e.kind));
  const fresh = told.filter((e) => e.id > seen);
  const shown = (seen && fresh.length ? fresh : told).slice(0, 14);
  const newest = events[0]?.id ?? 0;
  const mark = () => {
    localStorage.setItem(SEEN, String(newest));
    setSeen(newest);
  };
  return (
    <Panel title={seen && fresh.length ? `New since you last looked (${count(fresh.length)})` : "What happened last"} aside={<>{fresh.length && newest > seen ? <Button variant="subtle" size="compact-xs" onClick={mark}>Mark as seen</Button> : null}<Link to="#/events">All events</Link></>}>
      {shown.length ? (
        <ul className="log">{shown.map((e) => (
          <li key={e.id}><When at={e.at} /><span className="long">{hrefOfRef(e.subject) ? <a className="plain" href={hrefOfRef(e.subject)}>{sentence(e)}</a> : <>{sentence(e)} <Ref to={e.subject} /></>}</span></li>
        ))}</ul>
      ) : <Empty command="flyball apply">Nothing has happened yet.</Empty>}
    </Panel>
  );
}
