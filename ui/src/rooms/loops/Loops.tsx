import type { ViewProps } from "../../App";
import { href } from "../../address";
import { ask, useAll } from "../../api/client";
import { Empty, Head, Loaded, Twin } from "../../parts/basics";
import { LoopCard } from "./LoopCard";
import { LoopPage } from "./LoopPage";

export default function Loops({ parts }: ViewProps) {
  return parts[0] ? <LoopPage name={parts[0]} /> : <LoopList />;
}

export function NoLoop() {
  return (
    <div className="stack">
      <Empty command={"flyball init my-project\ncd my-project\nflyball apply"}>No loop yet. A loop takes a model round by itself: it watches, trains, judges and rolls out. Start a project, then hand its loops to this workspace:</Empty>
      <Empty command="flyball demo">Or see one at work on a year of flights:</Empty>
    </div>
  );
}

function LoopList() {
  const from = useAll({ loops: ask("loops/list", { limit: 200 }), alerts: ask("alerts/list", { state: "active", limit: 1000 }) });
  return (
    <>
      <Head title="Loops" under="What goes round by itself: watched, retrained, judged, rolled out." />
      <Loaded from={from}>{({ loops, alerts }) => loops.length ? (
        <>
          <div className="cards">{loops.map((one) => <LoopCard key={one.loop.name} state={one} alerts={alerts} to={href(["loops", one.loop.name])} />)}</div>
          <Twin>flyball loops list</Twin>
        </>
      ) : <NoLoop />}</Loaded>
    </>
  );
}
