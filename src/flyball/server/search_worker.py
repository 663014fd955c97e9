"""The process that does one search of AutoML.

Started by the controller as `python -m flyball.server.search_worker NAME`, with the settings in its environment.
"""

from __future__ import annotations

import logging
import sys

from flyball.errors import FlyballError
from flyball.model_search.searching import search_models
from flyball.run_services import RunServices
from flyball.settings import load_settings
from flyball.workspace import Workspace


def main() -> int:
    """Does the search named on the command line; 0 if it came to its end."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = load_settings()
    with Workspace(settings) as workspace:
        services = RunServices(workspace=workspace, project_root=settings.root, source_root=settings.root)
        try:
            search_models(sys.argv[1], services=services)
        except FlyballError as error:
            # The last line of the output is what the controller shows as the reason.
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
