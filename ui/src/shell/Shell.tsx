// The frame round every view: the rooms at the side, search, time, colours.

import { ActionIcon, AppShell, Burger, Group, Kbd, ScrollArea, Text, UnstyledButton, useMantineColorScheme } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import {
  IconActivityHeartbeat, IconAdjustments, IconBell, IconBinaryTree, IconBox, IconChartDots, IconDatabase, IconHome, IconListTree, IconMoon, IconRefresh, IconRocket, IconSearch,
  IconShieldCheck, IconStack2, IconSun, IconTag, IconTimelineEvent, IconWand,
} from "@tabler/icons-react";
import { lazy, Suspense, useEffect, useRef, useState, type ReactNode } from "react";
import { usePlace } from "../address";
import { ask, useAsked } from "../api/client";
import { useLive } from "../api/live";
import { useIsDark } from "../charts/size";
import { moment } from "../format";
import icon from "../icon.svg";
import { useClock } from "../parts/now";

import { Who } from "./Who";

const Search = lazy(() => import("./Search"));

type Room = [key: string, name: string, icon: typeof IconHome];
export const ROOMS: [string, Room[]][] = [
  ["", [["home", "Home", IconHome], ["loops", "Loops", IconRefresh], ["alerts", "Alerts", IconBell]]],
  ["Make", [["runs", "Runs", IconChartDots], ["pipelines", "Pipelines", IconBinaryTree], ["studies", "Studies", IconAdjustments], ["builder", "Builder", IconWand], ["data", "Data", IconDatabase], ["labels", "Labels", IconTag], ["features", "Features", IconStack2]]],
  ["Serve", [["models", "Models", IconBox], ["deployments", "Deployments", IconRocket], ["monitoring", "Monitoring", IconActivityHeartbeat], ["traces", "Traces", IconListTree]]],
  ["Rule", [["governance", "Governance", IconShieldCheck], ["events", "Events", IconTimelineEvent]]],
];
// The view itself is the page's main part; the frame round it must not be another one.
const PLAIN = { component: "div" } as object;

const ABOVE: Record<string, string> = { compare: "runs" };

export function Shell({ room, children }: { room: string; children: ReactNode }) {
  const [isOpen, { toggle, close }] = useDisclosure(false);
  const [isSearching, setSearching] = useState(false);
  const { parts } = usePlace();
  const path = parts.join("/");
  const main = useRef<HTMLElement>(null);
  const before = useRef(path);
  useEffect(() => {
    if (before.current === path) return;
    before.current = path;
    close();
    window.scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [path, close]);
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setSearching(true);
      }
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, []);
  const here = ABOVE[room] ?? room;
  return (
    <AppShell header={{ height: 52 }} navbar={{ width: 208, breakpoint: "md", collapsed: { mobile: !isOpen } }} padding={0}>
      <AppShell.Header className="bar">
        <a className="skip" href="#main" onClick={(event) => {
          event.preventDefault();
          main.current?.focus();
        }}>Skip to content</a>
        <Burger opened={isOpen} onClick={toggle} hiddenFrom="md" size="sm" aria-label="Rooms" aria-expanded={isOpen} />
        <a className="brand" href="#/"><img src={icon} alt="" width={24} height={24} /><span>Flyball</span></a>
        <UnstyledButton className="search" onClick={() => setSearching(true)} title="Search" aria-keyshortcuts="Control+K">
          <IconSearch size={15} aria-hidden /><span className="search-words">Search runs, models, data …</span><Kbd size="xs">Ctrl K</Kbd>
        </UnstyledButton>
        <Group gap="sm" ml="auto" wrap="nowrap"><Clock /><Live /><Colours /><Who /></Group>
      </AppShell.Header>
      <AppShell.Navbar className="side" aria-label="Rooms">
        <ScrollArea type="auto" offsetScrollbars={false}>
          {ROOMS.map(([group, rooms]) => (
            <div key={group} className="side-group">
              {group ? <Text className="side-title">{group}</Text> : null}
              {rooms.map(([key, name, Icon]) => (
                <a key={key} href={key === "home" ? "#/" : `#/${key}`} className="side-link" aria-current={key === here ? "page" : undefined}>
                  <Icon size={17} stroke={1.7} aria-hidden /><span>{name}</span>{key === "alerts" ? <Open /> : null}
                </a>
              ))}
            </div>
          ))}
          <a className="side-link quiet" href="#/api" aria-current={here === "api" ? "page" : undefined}>HTTP API</a>
        </ScrollArea>
      </AppShell.Navbar>
      <AppShell.Main {...PLAIN}>
        <main id="main" ref={main} tabIndex={-1}>{children}</main>
      </AppShell.Main>
      <Suspense fallback={null}>{isSearching ? <Search onClose={() => setSearching(false)} /> : null}</Suspense>
    </AppShell>
  );
}

function Open() {
  const { data } = useAsked(ask("alerts/list", { state: "open", limit: 100 }));
  return data?.length ? <span className="count" aria-label={`${data.length} open`}>{data.length >= 100 ? "99+" : data.length}</span> : null;
}

function Live() {
  const live = useLive();
  return <span className={`live ${live}`} role="status" title={live === "live" ? "What happens is shown at once." : "The server does not answer; trying again."}><i aria-hidden />{live === "live" ? "live" : "no answer"}</span>;
}

function Clock() {
  const clock = useClock();
  if (!clock) return null;
  return clock.isVirtual
    ? <span className="clock" title="This workspace's time is virtual; times are UTC.">virtual time {moment(clock.now)}</span>
    : <span className="clock">times are UTC</span>;
}

function Colours() {
  const { setColorScheme } = useMantineColorScheme();
  const isDark = useIsDark();
  return (
    <ActionIcon variant="subtle" color="gray" size="lg" aria-label={isDark ? "Light colours" : "Dark colours"} onClick={() => setColorScheme(isDark ? "light" : "dark")}>
      {isDark ? <IconSun size={18} /> : <IconMoon size={18} />}
    </ActionIcon>
  );
}
