// What every view is made of.

import { ActionIcon, Anchor, Box, CopyButton, Group, Loader, Text, Title, Tooltip } from "@mantine/core";
import { IconAlertTriangle, IconCheck, IconCopy } from "@tabler/icons-react";
import { Component, useEffect, type ReactNode } from "react";
import { hrefOfRef } from "../address";
import { ApiError, type Together } from "../api/client";
import { ago, moment, words } from "../format";
import { useNow } from "./now";

const GOOD = "good", BAD = "bad", WARN = "warn", CALM = "calm", LIVELY = "lively";
const TONE: Record<string, string> = {
  watching: GOOD, finished: GOOD, succeeded: GOOD, champion: GOOD, promoted: GOOD, promote: GOOD, passed: GOOD, approved: GOOD, healthy: GOOD, fresh: GOOD, ready: GOOD,
  training: LIVELY, running: LIVELY, "rolling out": LIVELY, "roll out": LIVELY, retrain: LIVELY, challenger: LIVELY, requested: LIVELY, scheduled: LIVELY, miss: LIVELY,
  warning: WARN, refuse: WARN, refused: WARN, paused: WARN, lost: WARN, acknowledged: WARN, stale: WARN, deprecated: WARN, "waiting for a first version": WARN,
  failed: BAD, rolled_back: BAD, "roll back": BAD, open: BAD, critical: BAD, rejected: BAD, drifted: BAD,
};
export const toneOf = (state: string): string => TONE[state] ?? CALM;

export function State({ of, children }: { of: string; children?: ReactNode }) {
  return <span className={`state ${toneOf(of)}`}>{children ?? words(of)}</span>;
}

export function When({ at, relative = false }: { at: string | null | undefined; relative?: boolean }) {
  const now = useNow();
  if (!at) return <>–</>;
  return <time dateTime={at} title={`${at.replace("T", " ").replace("Z", "")} UTC`}>{relative ? ago(at, now) : moment(at)}</time>;
}

export function Link({ to, children, ...rest }: { to: string; children: ReactNode; className?: string; "aria-label"?: string }) {
  return <Anchor href={to} inherit {...rest}>{children}</Anchor>;
}

/** A thing by its reference, leading to its page if it has one. */
export function Ref({ to }: { to: string }) {
  const address = hrefOfRef(to);
  const shown = to.replace(/([0-9a-f]{12})[0-9a-f]{20,}/g, "$1…");
  return address ? <Link to={address}>{shown}</Link> : <span className="long">{shown}</span>;
}

export const Code = ({ children }: { children: ReactNode }) => <code className="code">{children}</code>;

export function Command({ children }: { children: string }) {
  return (
    <Box className="command">
      <pre tabIndex={0}>{children}</pre>
      <CopyButton value={children}>
        {({ copied, copy }) => (
          <ActionIcon variant="subtle" color="gray" size="sm" aria-label={copied ? "Copied" : "Copy"} onClick={copy}>
            {copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
          </ActionIcon>
        )}
      </CopyButton>
    </Box>
  );
}

/** The same in a terminal. */
export function Twin({ children }: { children: string }) {
  return <Group className="twin" gap={6} wrap="nowrap"><Text span size="xs" c="dimmed">In a terminal</Text><Command>{children}</Command></Group>;
}

export function Empty({ children, command }: { children: ReactNode; command?: string }) {
  return <Box className="empty"><Text size="sm" c="dimmed">{children}</Text>{command ? <Command>{command}</Command> : null}</Box>;
}

export function Fault({ of }: { of: Error }) {
  return (
    <Box className="fault" role="alert">
      <IconAlertTriangle size={18} aria-hidden />
      <div><Text size="sm" fw={550}>{of.message}</Text>{of instanceof ApiError && of.hint ? <Text size="sm" c="dimmed">{of.hint}</Text> : null}</div>
    </Box>
  );
}

export function Waiting() {
  return <Group className="waiting" gap="xs"><Loader size="xs" /><Text size="sm" c="dimmed">Loading…</Text></Group>;
}

/** Shows what has come, says what failed, or waits. */
export function Loaded<T>({ from, children }: { from: Together<T> | { data: T | undefined; error: Error | null }; children: (data: T) => ReactNode }) {
  if (from.data !== undefined) return <>{children(from.data)}</>;
  return from.error ? <Fault of={from.error} /> : <Waiting />;
}

export function Head({ title, tag, under, actions, trail }: { title: string; tag?: ReactNode; under?: ReactNode; actions?: ReactNode; trail?: [string, string][] }) {
  useEffect(() => {
    document.title = `${title} – Flyball`;
  }, [title]);
  return (
    <Box component="header" className="head">
      <div className="head-words">
        {trail ? <nav className="trail" aria-label="Above">{trail.map(([name, to]) => <span key={to}><Link to={to}>{name}</Link><span aria-hidden> / </span></span>)}</nav> : null}
        <Group gap="sm" align="center"><Title order={1}>{title}</Title>{tag}</Group>
        {under ? <Text size="sm" c="dimmed" component="div">{under}</Text> : null}
      </div>
      {actions ? <Group gap="xs" className="head-actions">{actions}</Group> : null}
    </Box>
  );
}

export function Panel({ title, aside, children, className = "", id }: { title?: ReactNode; aside?: ReactNode; children: ReactNode; className?: string; id?: string }) {
  return (
    <section className={`panel ${className}`} id={id}>
      {title ? <div className="panel-head"><Title order={2}>{title}</Title>{aside ? <div className="panel-aside">{aside}</div> : null}</div> : null}
      {children}
    </section>
  );
}

export function Facts({ of }: { of: Record<string, ReactNode> }) {
  return (
    <dl className="facts">
      {Object.entries(of).map(([name, fact]) => <div key={name}><dt>{name}</dt><dd>{fact === "" || fact == null ? "–" : fact}</dd></div>)}
    </dl>
  );
}

export function Figure({ label, children, under, tone }: { label: ReactNode; children: ReactNode; under?: ReactNode; tone?: "good" | "bad" | "warn" }) {
  return <div className={`figure ${tone ?? ""}`}><div className="figure-label">{label}</div><div className="figure-value">{children}</div>{under ? <div className="figure-under">{under}</div> : null}</div>;
}

export function Hint({ text, children }: { text: ReactNode; children: ReactNode }) {
  return <Tooltip label={text}><span>{children}</span></Tooltip>;
}

/** Keeps a fault in one view from taking the page with it. */
export class Guard extends Component<{ children: ReactNode }, { fault: Error | null }> {
  override state = { fault: null as Error | null };
  static getDerivedStateFromError(fault: Error) {
    return { fault };
  }
  override render() {
    return this.state.fault ? <Fault of={this.state.fault} /> : this.props.children;
  }
}
