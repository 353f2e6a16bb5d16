"""The library: the job runtime, the embedded engine, the tools of day two, and the `saga` command.

It knows no process and no participant: it finds both in the folders `workers` and `services` of the project.
"""
