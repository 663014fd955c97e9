"""Where jobs run: processes of this machine, later clusters.

This room knows how to start a command, watch it, stop it and keep what it printed; it never knows what the command does.
"""
