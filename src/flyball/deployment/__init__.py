"""What is served under which name, and the way from one version to the next.

This room keeps deployments and rollouts and writes the manifests that model servers follow. It knows the registry's
versions; it never knows why a rollout was started, and never speaks to a model server.
"""
