import { Button } from "@mantine/core";
import { href } from "../../address";
import type { ModelVersion } from "../../api/types";
import { bytes, moment, plain, value } from "../../format";
import { Link, Panel, State } from "../../parts/basics";

export function Versus({ versions, onClose }: { versions: ModelVersion[]; onClose: () => void }) {
  const metrics = [...new Set(versions.flatMap((v) => v.evaluation?.metrics.map((m) => m.name) ?? []))];
  const params = [...new Set(versions.flatMap((v) => Object.keys(v.params)))];
  const packages = [...new Set(versions.flatMap((v) => Object.keys(v.package.environment.packages)))].filter((name) => new Set(versions.map((v) => v.package.environment.packages[name])).size > 1);
  const line = (key: string, of: (v: ModelVersion) => React.ReactNode) => <tr key={key}><th scope="row">{key}</th>{versions.map((v) => <td key={v.version}>{of(v)}</td>)}</tr>;
  return (
    <Panel title="Side by side" aside={<Button variant="subtle" size="compact-xs" onClick={onClose}>Close</Button>}>
      <div className="scroll-x"><table className="compare">
        <thead><tr><td />{versions.map((v) => <th key={v.version} scope="col"><Link to={href(["models", v.model, v.version])}>version {v.version}</Link></th>)}</tr></thead>
        <tbody>
          {line("stage", (v) => <State of={v.stage} />)}
          {line("registered", (v) => moment(v.created))}
          {metrics.map((name) => line(name, (v) => {
            const found = v.evaluation?.metrics.find((m) => m.name === name);
            return found ? <>{value(found.value)} <span className="soft">{found.low === null ? "" : `${value(found.low)}–${value(found.high)}`}</span></> : "–";
          }))}
          {line("held-out rows", (v) => v.evaluation?.n ?? "–")}
          {params.map((name) => line(`param ${name}`, (v) => plain(v.params[name])))}
          {line("flavor", (v) => v.package.flavor)}{line("size", (v) => bytes(v.package.size))}
          {packages.map((name) => line(`package ${name}`, (v) => v.package.environment.packages[name] ?? "–"))}
          {line("gates", (v) => (v.verdict ? (v.verdict.passed ? "passed" : v.verdict.decisions.filter((d) => !d.passed).map((d) => d.gate).join(", ")) : "not judged"))}
        </tbody>
      </table></div>
    </Panel>
  );
}
