"""The command `postcopy-lab`: progress, resume and exit codes around Ansible playbooks.

Nothing in this package knows how a migration works. Whatever it does can also be done with plain
`ansible-playbook` and the same extra variables.
"""
