# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""The guest as a libvirt domain: its XML, and looking for, ending and counting guests of this kit."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
from xml.sax.saxutils import escape, quoteattr

from ansible_collections.postcopy.lab.plugins.module_utils.node import qmp

# Every guest of this kit is named so; nothing else on a host is ever touched.
NAME_PREFIX = "postcopy-lab-"
CONSOLE_DIRECTORY = "/var/log/postcopy-lab/console"
URI = "qemu:///system"

DOMAIN = """<domain type=%(type)s xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>%(name)s</name>
  <memory unit='b'>%(memory_bytes)d</memory>
  <vcpu>%(vcpus)d</vcpu>
  <os>
    <type arch='x86_64' machine=%(machine)s>hvm</type>
    <kernel>%(kernel)s</kernel>
    <initrd>%(initrd)s</initrd>
    <cmdline>%(command_line)s</cmdline>
  </os>
  <features><acpi/></features>
%(cpu)s  <on_poweroff>destroy</on_poweroff>
  <on_reboot>destroy</on_reboot>
  <on_crash>preserve</on_crash>
  <devices>
    <emulator>%(emulator)s</emulator>
    <serial type='file'>
      <source path=%(console)s append='off'/>
      <target port='0'/>
    </serial>
    <interface type='bridge'>
      <mac address=%(mac)s/>
      <source bridge=%(bridge)s/>
      <model type='virtio'/>
      <rom enabled='no'/>
    </interface>
    <memballoon model='none'/>
  </devices>
%(arguments)s</domain>
"""


def name_error(name):
    """Why a guest of this name is none of this kit's, one line; None if it is one, or no name is given."""
    if name is None or name.startswith(NAME_PREFIX):
        return None
    return "name: %r must begin with %s" % (name, NAME_PREFIX)


def console_path(name):
    return os.path.join(CONSOLE_DIRECTORY, name + ".log")


def domain_xml(settings):
    """The XML of a transient diskless domain.

    :param settings: name, vcpus, memory_bytes, address, prober_address, mac, bridge, accelerator (kvm or
        tcg), machine, emulator, kernel, initrd, qemu_arguments
    """
    kvm = settings["accelerator"] == "kvm"
    arguments = "".join("    <qemu:arg value=%s/>\n" % quoteattr(word) for word in settings["qemu_arguments"])
    return DOMAIN % {
        "type": quoteattr("kvm" if kvm else "qemu"),
        "name": escape(settings["name"]),
        "memory_bytes": settings["memory_bytes"],
        "vcpus": settings["vcpus"],
        "machine": quoteattr(settings["machine"]),
        "kernel": escape(settings["kernel"]),
        "initrd": escape(settings["initrd"]),
        "command_line": escape(
            "console=ttyS0 lab.address=%(address)s lab.prober=%(prober_address)s" % settings
        ),
        # What both hosts have in common; under TCG QEMU's own model is the same everywhere.
        "cpu": "  <cpu mode='host-model'/>\n" if kvm else "",
        "emulator": escape(settings["emulator"]),
        "console": quoteattr(console_path(settings["name"])),
        "mac": quoteattr(settings["mac"]),
        "bridge": quoteattr(settings["bridge"]),
        "arguments": "  <qemu:commandline>\n%s  </qemu:commandline>\n" % arguments if arguments else "",
    }


def connect(libvirt):
    # Errors are dealt with where they occur; the binding would print each of them as well.
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    return libvirt.open(URI)


def find(connection, name=None):
    """The active guests of this kit on this host, or the one of that name (a list of one or none)."""
    found = [domain for domain in connection.listAllDomains(0) if domain.name().startswith(NAME_PREFIX)]
    return [domain for domain in found if name is None or domain.name() == name]


def state_name(libvirt, connection, name):
    """ "running", "paused" or "other" for a guest of this host, "absent" if it is not here."""
    for domain in find(connection, name):
        state = domain.state()[0]
        if state == libvirt.VIR_DOMAIN_RUNNING:
            return "running"
        return "paused" if state == libvirt.VIR_DOMAIN_PAUSED else "other"
    return "absent"


def destroy(libvirt, connection, name=None):
    """End the guests of this kit, or the one of that name; returns the names of those that were there."""
    ended = []
    for domain in find(connection, name):
        ended.append(domain.name())
        try:
            domain.destroy()
        except libvirt.libvirtError as error:
            # It ended by itself meanwhile.
            if error.get_error_code() not in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID):
                raise
    qmp.remove_sockets([domain.name() for domain in find(connection)])
    return ended
