"""What entry, collection and analysis agree on, and nothing else. Imports nothing of theirs.

Modes, roles of nodes, evidence files, outcomes, what a study may choose, what libvirt can tell.
"""
