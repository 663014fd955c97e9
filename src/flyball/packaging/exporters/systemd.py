"""systemd: a unit for a server without containers, locked in as far as systemd can."""

from __future__ import annotations

import re

from flyball.packaging.exporters.base import PORT, DeploymentExporter, Served, manifest_text
from flyball.serving.manifest import manifest_key

_UNIT = """# Put it into /etc/systemd/system, the folder `manifests` into /etc/flyball, and Flyball into /opt/flyball:
#   python3 -m venv /opt/flyball && /opt/flyball/bin/pip install 'flyball[data,server]'
[Unit]
Description=Model server of {name}
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
ExecStart=/opt/flyball/bin/python -m flyball.serving.model_server \\
  --objects {objects} --manifests /etc/flyball/manifests --deployment {deployment} \\
  --host 127.0.0.1 --port {port} --spool /var/lib/flyball-{name}/spool
{secrets}DynamicUser=yes
StateDirectory=flyball-{name}
Restart=always
RestartSec=1
# It ends its answers and writes its log before it goes.
TimeoutStopSec=45
KillSignal=SIGTERM
MemoryMax={memory}
CapabilityBoundingSet=
LockPersonality=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
UMask=0077

[Install]
WantedBy=multi-user.target
"""


class Systemd:
    """A unit and the manifest that it serves."""

    def write(self, served: Served) -> dict[str, str]:
        """The files."""
        plan, name = served.plan, served.name
        memory = re.sub(r"(?<=[KMG])i$", "", plan.memory)
        unit = _UNIT.format(
            name=name, objects=(plan.objects or f"/var/lib/flyball-{name}/objects").replace("%", "%%"), port=PORT,
            deployment=served.manifest.deployment, memory=memory,
            secrets=f"EnvironmentFile=-/etc/flyball/{plan.secret}.env\n" if plan.secret else "",
        )  # fmt: skip
        key = manifest_key(served.manifest.deployment)
        return {f"flyball-{name}.service": unit, f"manifests/{key}": manifest_text(served)}


plugin: DeploymentExporter = Systemd()
