"""Arguments, progress, printing and exit statuses: one small module for each command.

The only room that prints. Anything that a run may not need is imported where it is needed: `--version` and `--help`
load argparse and nothing else, and a command loads what it uses.
"""
