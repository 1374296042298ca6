"""What the control machine decides and writes: studies, plans, run.json and lab.json, outcomes of runs.

Typed Python on top of contract/. The command calls it, and those modules of the collection that run on the
control machine.
"""
