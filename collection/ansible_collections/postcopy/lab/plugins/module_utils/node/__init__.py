# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Programs that run on a node by themselves, started by the modules of this collection.

They are copied to every node when a study starts (playbooks/tasks/node_programs.yml), because they outlive
the module that starts them. Standard library and libvirt's binding only, Python 2.7 and 3.
"""
