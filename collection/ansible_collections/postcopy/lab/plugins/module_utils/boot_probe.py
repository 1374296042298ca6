# Copyright: postcopy-lab contributors
# Apache License 2.0 (see LICENSE)
"""Boot something with QEMU for a few seconds, to learn whether an accelerator really runs guests.

A device file says nothing: on some machines (nested virtualization) /dev/kvm opens and guests hang in it. So
two things are booted: a boot sector that ends QEMU by itself, which is quick, and a Linux kernel up to a
program of user space, which is what a study's guests need. Both programs are a few bytes of machine code made
here (x86-64 only).
Times are seconds.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import shutil
import struct
import subprocess
import tempfile
import time

from ansible_collections.postcopy.lab.plugins.module_utils.node import monotonic

MARKER = "POSTCOPY-LAB USER SPACE REACHED"
# The boot sector writes 0x10 to QEMU's isa-debug-exit device, which then exits with (0x10 << 1) | 1.
BOOT_SECTOR_STATUS = 33
EXIT_PORT = 0xF4
LINUX_MEMORY_MIB = 256
POLL_SECONDS = 0.05


def boot_sector():
    """Return 512 bytes that write 0x10 to port 0xf4, then halt for ever."""
    code = (
        b"\xba" + struct.pack("<H", EXIT_PORT)  # mov dx, EXIT_PORT
        + b"\xb0\x10"  # mov al, 0x10
        + b"\xee"  # out dx, al
        + b"\xf4\xeb\xfd"  # hlt; jump back to it
    )  # fmt: skip
    return code.ljust(510, b"\0") + b"\x55\xaa"


def init_program():
    """Return a static x86-64 ELF program that writes MARKER to its output, then spins for ever."""
    message = b"\n" + MARKER.encode("ascii") + b"\n"
    base, header_size, code_size = 0x400000, 64 + 56, 24
    code = (
        b"\xb8" + struct.pack("<I", 1)  # mov eax, 1 (write)
        + b"\xbf" + struct.pack("<I", 1)  # mov edi, 1 (standard output)
        + b"\xbe" + struct.pack("<I", base + header_size + code_size)  # mov esi, message
        + b"\xba" + struct.pack("<I", len(message))  # mov edx, its length
        + b"\x0f\x05"  # syscall
        + b"\xeb\xfe"  # jump to itself
    )  # fmt: skip
    size = header_size + len(code) + len(message)
    ident = b"\x7fELF\x02\x01\x01" + b"\0" * 9
    elf = struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base + header_size, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    return ident + elf + load + code + message


def initramfs():
    """Return a cpio archive (format newc, as the kernel reads it) with init_program() as /init."""
    return _cpio_entry("init", 0o100755, init_program()) + _cpio_entry("TRAILER!!!", 0, b"")


def _cpio_entry(name, mode, data):
    name = name.encode("ascii") + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + "".join("%08x" % field for field in fields).encode("ascii") + name
    return _padded(header) + _padded(data)


def _padded(data):
    return data + b"\0" * (-len(data) % 4)


def try_boot_sector(binary, accelerator, limit_seconds):
    """Boot the boot sector; return None when it ran, else one line saying what happened instead."""
    folder = tempfile.mkdtemp(prefix="postcopy-lab-probe-")
    try:
        image = _written(folder, "boot", boot_sector())
        status, output, _dummy = _run(
            [binary, "-machine", "accel=" + accelerator, "-nodefaults", "-display", "none", "-m", "32",
             "-device", "isa-debug-exit,iobase=0x%x,iosize=4" % EXIT_PORT,
             "-drive", "file=%s,format=raw,if=floppy,readonly=on" % image],
            limit_seconds,
        )  # fmt: skip
        if status == BOOT_SECTOR_STATUS:
            return None
        return _complaint("a boot sector", output, status, limit_seconds)
    finally:
        shutil.rmtree(folder)


def try_linux(binary, accelerator, kernel, limit_seconds):
    """Boot a Linux kernel up to user space; return (seconds it took, None) or (None, a complaint)."""
    folder = tempfile.mkdtemp(prefix="postcopy-lab-probe-")
    try:
        archive = _written(folder, "initramfs", initramfs())
        status, output, seconds = _run(
            [binary, "-machine", "accel=" + accelerator, "-nodefaults", "-display", "none",
             "-m", str(LINUX_MEMORY_MIB), "-kernel", kernel, "-initrd", archive,
             "-append", "console=ttyS0 panic=-1", "-no-reboot", "-serial", "stdio"],
            limit_seconds,
            until=MARKER,
        )  # fmt: skip
        if MARKER in output:
            return seconds, None
        return None, _complaint("a Linux kernel", output, status, limit_seconds)
    finally:
        shutil.rmtree(folder)


def _written(folder, name, content):
    path = os.path.join(folder, name)
    with open(path, "wb") as stream:
        stream.write(content)
    return path


def _complaint(what, output, status, limit_seconds):
    """Say in one line why a boot did not succeed, preferring QEMU's or the kernel's own words."""
    for line in output.splitlines():
        if "KVM internal error" in line or "Kernel panic" in line:
            return "%s did not boot: %s" % (what, line.strip())
    if status is None:
        return "%s did not boot within %g s" % (what, limit_seconds)
    last = (output.strip().splitlines() or ["no output"])[-1]
    return "%s did not boot: QEMU ended with status %d: %s" % (what, status, last.strip())


def _run(command, limit_seconds, until=None):
    """Run a command until it ends, writes ``until``, meets a KVM error or the limit.

    Returns (exit status or None when it had to be ended, output and error text, seconds). The command runs
    under coreutils' timeout, which ends it even when this process dies first, and kills it where need be.
    """
    started = monotonic.seconds()
    with tempfile.TemporaryFile() as stream:
        process = subprocess.Popen(
            ["timeout", "--kill-after=2", str(int(limit_seconds) + 5)] + command,
            stdin=subprocess.PIPE, stdout=stream, stderr=subprocess.STDOUT, close_fds=True,
        )  # fmt: skip
        try:
            while True:
                status = process.poll()
                output = _content(stream)
                seconds = monotonic.seconds() - started
                if (
                    status is not None
                    or seconds > limit_seconds
                    or (until is not None and until in output)
                    or "KVM internal error" in output
                ):
                    return status, output, seconds
                time.sleep(POLL_SECONDS)
        finally:
            process.stdin.close()
            if process.poll() is None:
                # timeout hands the signal on to QEMU.
                process.terminate()
            process.wait()


def _content(stream):
    """Return what was written so far, without moving the offset that the writer shares."""
    size = os.fstat(stream.fileno()).st_size
    with open("/proc/self/fd/%d" % stream.fileno(), "rb") as reader:
        return reader.read(size).decode("utf-8", "replace")
