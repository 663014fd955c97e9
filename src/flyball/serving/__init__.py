"""Serving: follows a deployment's manifest, answers with the models it names, and logs what it answered.

This room knows a manifest and model packages; it never knows who wrote the manifest or who reads the log.
"""
