import { lazy, Suspense, type ComponentType } from "react";
import { usePlace } from "./address";
import { useLoginNeeded } from "./api/client";
import { Empty, Guard, Head, Waiting } from "./parts/basics";
import { Home } from "./rooms/Home";
import { Shell } from "./shell/Shell";

export interface ViewProps {
  /** What stands in the address after the room's name. */
  parts: string[];
}

const Login = lazy(() => import("./shell/Login"));

type View = ComponentType<ViewProps>;

const later = (load: () => Promise<{ default: View }>): View => lazy(load) as View;

/** The first word of an address, and what is shown there. Each room is fetched when it is first visited. */
const VIEWS: Record<string, View> = {
  loops: later(() => import("./rooms/loops/Loops")),
  runs: later(() => import("./rooms/runs/Runs")),
  compare: later(() => import("./rooms/runs/Compare")),
  pipelines: later(() => import("./rooms/pipelines/Pipelines")),
  studies: later(() => import("./rooms/studies/Studies")),
  traces: later(() => import("./rooms/traces/Traces")),
  builder: later(() => import("./rooms/builder/Builder")),
  data: later(() => import("./rooms/data/Data")),
  labels: later(() => import("./rooms/labels/Labels")),
  features: later(() => import("./rooms/features/Features")),
  models: later(() => import("./rooms/models/Models")),
  deployments: later(() => import("./rooms/deployments/Deployments")),
  monitoring: later(() => import("./rooms/monitoring/Monitoring")),
  alerts: later(() => import("./rooms/alerts/Alerts")),
  governance: later(() => import("./rooms/governance/Governance")),
  events: later(() => import("./rooms/governance/Events")),
  device: later(() => import("./shell/Device")),
  api: later(() => import("./rooms/api/Api")),
};

export function App() {
  const { parts } = usePlace();
  const isLoginNeeded = useLoginNeeded();
  const [room = "home", ...rest] = parts;
  const Shown = room === "home" ? Home : Object.hasOwn(VIEWS, room) ? VIEWS[room] : undefined;
  if (isLoginNeeded) return <Suspense fallback={<Waiting />}><Login /></Suspense>;
  return (
    <Shell room={room}>
      <Guard key={parts.join("/")}>
        <Suspense fallback={<Waiting />}>{Shown ? <Shown parts={rest} /> : <Nowhere name={room} />}</Suspense>
      </Guard>
    </Shell>
  );
}

function Nowhere({ name }: { name: string }) {
  return <><Head title="Not here" /><Empty>There is no page '{name}'. The rooms stand at the side; Ctrl K finds things by name.</Empty></>;
}
