// Who one is, in which project, and the way out or over to another one.

import { Button, Menu } from "@mantine/core";
import { IconChevronDown, IconLogout, IconUser } from "@tabler/icons-react";
import { ask, send, useAsked } from "../api/client";
import { addressOfProject, here } from "./project";

export function Who() {
  const me = useAsked({ ...ask("accounts/whoami", {}), staleTime: 300_000 }).data;
  const all = useAsked({ ...ask("projects/list", {}), staleTime: 60_000 }).data ?? [];
  if (!me) return null;
  const { root, project } = here();
  const others = all.filter((one) => one.name !== project && one.role !== "none");
  const leave = () => send(`${root}login/out`, {}).then((answer) => {
    const { leave } = answer as { leave?: string };
    window.location.assign(leave || root);
  });
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target><Button variant="subtle" color="gray" className="who" leftSection={<IconUser size={15} aria-hidden />} rightSection={<IconChevronDown size={13} aria-hidden />} aria-label={`${me.name} in the project ${project}`}><span className="who-words">{project === "default" ? me.name : `${me.name} / ${project}`}</span></Button></Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{me.full_name || me.name}: {me.role} of {project}</Menu.Label>
        {others.map(({ name, title }) => <Menu.Item key={name} component="a" href={addressOfProject(name)}>{name === "default" ? title : `Project ${title === name ? name : `${name}: ${title}`}`}</Menu.Item>)}
        <Menu.Item component="a" href="#/governance?tab=projects">All projects</Menu.Item>
        <Menu.Item component="a" href="#/governance?tab=tokens">Tokens</Menu.Item>
        {me.proven ? <><Menu.Divider /><Menu.Item leftSection={<IconLogout size={15} aria-hidden />} onClick={() => void leave()}>Log out</Menu.Item></> : null}
      </Menu.Dropdown>
    </Menu>
  );
}
