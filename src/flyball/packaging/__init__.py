"""What is served, as something that others run: container images, manifests for clusters, bundles for small machines.

This room writes files and speaks to image registries. It knows deployments and versions; it starts nothing by itself.
"""
