"""What a run of a pipeline works with: the workspace's services, where its code and data stand, and who runs its steps."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flyball.clock import Clock
from flyball.settings import Settings, as_environment

if TYPE_CHECKING:
    from flyball.pipelines.isolated import Workplace


@dataclass(frozen=True, slots=True, kw_only=True)
class RunServices:
    """What a pipeline run works with: the workspace's services, and where its code and data stand.

    Attributes:
        project_root: Folder that the project's code is loaded from.
        source_root: Folder that the sources of datasets are relative to.
        code: Digest of the code snapshot.
    """

    workspace: Any
    project_root: Path
    source_root: Path
    code: str = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.workspace, name)

    @property
    def clock(self) -> Clock:
        """The clock that rules here."""
        found: Clock = self.workspace.time
        return found

    @property
    def runs_elsewhere(self) -> bool:
        """Whether steps run on other machines."""
        return bool(self.workspace.settings.executor != "local")

    def worker_environment(self, run: str) -> dict[str, str]:
        """What a process elsewhere shows to a server that asks who it is: a token for this run alone."""
        if not self.workspace.settings.url or not self.workspace.accounts.whoami().proven:
            return {}
        token = self.workspace.tokens.create_for_run(run).secret
        return {"FLYBALL_TOKEN": token, "MLFLOW_TRACKING_TOKEN": token}

    def workplace(self) -> Workplace:
        """Where steps run that want a process of their own."""
        from flyball.executors.base import EXECUTORS
        from flyball.machine.libraries import FIRST_GUESS, libraries_file, recall_libraries
        from flyball.pipelines.isolated import Workplace

        settings: Settings = self.workspace.settings
        folder = Path(tempfile.mkdtemp(prefix="flyball-jobs-"))
        is_here = not self.runs_elsewhere
        return Workplace(
            executor=EXECUTORS.get(settings.executor).open(folder, slots=0),
            is_here=is_here,
            module="flyball.step_worker",
            environment={**as_environment(settings), **({} if is_here else {"FLYBALL_STEP_ELSEWHERE": "1"})},
            preload=(*FIRST_GUESS, *recall_libraries(libraries_file(self.workspace.cache, "steps"))),
            environments=self.workspace.cache / "environments",
        )
