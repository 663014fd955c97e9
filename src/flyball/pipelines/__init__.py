"""Pipelines: plain functions as steps, run once for each state of code, inputs and params.

This room knows how to run steps in order, what they gave before, and which code they stand on; it never knows what a step is
for, when a pipeline should run, or what becomes of a model.
"""
