"""Speed, measured as ratios against a peer or a limit that does the same work in the same run."""
