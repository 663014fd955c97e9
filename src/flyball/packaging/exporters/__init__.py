"""Languages in which a deployment is written down for others to run, one file each."""
