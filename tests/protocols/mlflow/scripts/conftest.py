"""Nothing here is run by pytest itself: the scripts run under the real clients."""

collect_ignore_glob = ["*.py"]
