"""Tests of a project: of its code, data, schema, features, pipelines and models, run by `flyball test`.

Knows what a project declares with `fb.test` and how pytest runs it. Never knows who asked: a person, or a CI system.
"""
