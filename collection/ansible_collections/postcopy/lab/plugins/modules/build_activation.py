#!/usr/bin/python
# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Have a node use one of a program's builds."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
module: build_activation
short_description: Have a node use one of a program's builds
description:
  - Points the link C(current) of the program's folder at the build, lets the dynamic linker know its C(lib),
    links its programs from C(/usr/local), and leaves its C(manifest.json) as the local fact
    C(postcopy_lab_build_<name>).
  - What is as it should be is left alone. One module makes all of it, since most calls find nothing to do.
options:
  name:
    description: Name of the program.
    type: str
    required: true
  root:
    description: Folder of the program's builds.
    type: path
    required: true
  build:
    description: The build, a folder below O(root).
    type: str
    required: true
author:
  - postcopy-lab contributors
"""

EXAMPLES = r"""
- name: Use QEMU 10.0.13
  postcopy.lab.build_activation:
    name: qemu
    root: /opt/postcopy-lab/qemu
    build: 10.0.13-0123456789-89abcdef
"""

RETURN = r"""
paths:
  description: What was changed, or in check mode would be.
  returned: success
  type: list
  elements: str
activated:
  description: Whether another build is used from now on.
  returned: success
  type: bool
"""

import os
import stat

from ansible.module_utils.basic import AnsibleModule

LINKER_TEXT = "# Made by the role software of postcopy-lab.\n%s/current/lib\n"
PROGRAM_FOLDERS = ("bin", "sbin")


class System(object):
    """A node's files below `root`; with `check` none is changed, and what would be is noted all the same."""

    def __init__(self, root="/", check=False):
        self.root = root
        self.check = check
        self.changed = []

    def place(self, path):
        """Where a path of the node is."""
        return os.path.join(self.root, path.lstrip("/"))

    def link(self, path, target):
        """Have `path` be a link to `target`."""
        place = self.place(path)
        if os.path.islink(place) and os.readlink(place) == target:
            return
        self.changed.append(path)
        if not self.check:
            self._make_folder(os.path.dirname(place))
            # Beside it and then moved: there is one at any moment.
            if os.path.lexists(place + ".part"):
                os.unlink(place + ".part")
            os.symlink(target, place + ".part")
            os.rename(place + ".part", place)

    def is_written(self, path, content):
        """Whether `path` is such a file already."""
        place = self.place(path)
        return _content(place) == content and stat.S_IMODE(os.stat(place).st_mode) == 0o644

    def write(self, path, content):
        """Have `path` be a file that everybody may read, of these bytes."""
        if self.is_written(path, content):
            return
        place = self.place(path)
        self.changed.append(path)
        if not self.check:
            self._make_folder(os.path.dirname(place))
            with open(place + ".part", "wb") as stream:
                stream.write(content)
            os.chmod(place + ".part", 0o644)
            os.rename(place + ".part", place)

    @staticmethod
    def _make_folder(folder):
        if not os.path.isdir(folder):
            os.makedirs(folder, 0o755)


def _content(path):
    """Bytes of a file; None where it is none."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except (IOError, OSError):
        return None


def activate(system, name, root, build, read_linker):
    """Have the system use the build; returns whether it is another one. Raises OSError where it cannot.

    :param read_linker: has the dynamic linker read its folders again
    """
    folder = os.path.join(root, build)
    current = os.path.join(root, "current")
    linker_file = "/etc/ld.so.conf.d/00-postcopy-lab-%s.conf" % name
    manifest = _content(system.place("%s/manifest.json" % folder))
    if manifest is None:
        raise OSError("%s is no build: it has no manifest.json" % folder)
    system.link(current, build)
    system.write(linker_file, (LINKER_TEXT % root).encode("utf-8"))
    # Users, sudo and systemd all have /usr/local in their PATH, before /usr.
    for kind in PROGRAM_FOLDERS:
        programs = system.place(os.path.join(folder, kind))
        for program in sorted(os.listdir(programs)) if os.path.isdir(programs) else []:
            system.link(os.path.join("/usr/local", kind, program), os.path.join(current, kind, program))
    # The fact last: where it was not written, the linker may not have read either.
    fact = "/etc/ansible/facts.d/postcopy_lab_build_%s.fact" % name.replace("-", "_")
    if not system.check and (system.changed or not system.is_written(fact, manifest)):
        read_linker()
    system.write(fact, manifest)
    return current in system.changed


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "root": {"type": "path", "required": True},
            "build": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    system = System(check=module.check_mode)

    def read_linker():
        module.run_command([module.get_bin_path("ldconfig", True, ["/sbin", "/usr/sbin"])], check_rc=True)

    try:
        activated = activate(
            system, module.params["name"], module.params["root"], module.params["build"], read_linker
        )
    except OSError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(system.changed), paths=system.changed, activated=activated)


if __name__ == "__main__":
    main()
