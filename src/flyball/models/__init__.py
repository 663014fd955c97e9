"""Models as packages: files by digest, a signature, an environment, and the flavor that reads them back.

This room knows how to keep a fitted model and how to ask it for predictions; it never knows where it was trained, under
which name it is registered or who serves it.
"""
