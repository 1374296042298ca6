"""Build libvirt-python 1.2.11 for Python 2.7 against this system's newer libvirt.

binding.py SOURCE TARGET [NAME=VALUE ...]

Its generator makes the binding from libvirt's description of itself, and gives up at functions that came
after it. So it gets the description without those. NAMEs are migration flags to add, as wp3's
libvirt-domain.h has them: its own description is not to be had here.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

DESCRIPTIONS = Path("/usr/share/libvirt/api")
FUNCTION = re.compile(r" *<function name='(\w+)'.*?</function>\n", re.DOTALL)
# Its generator takes numbers only.
NAMED_VALUE = re.compile(r" *<enum [^>]*value='VIR_[^>]*/>\n")


def build(source: Path, description: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["python2.7", "setup.py", "build", "--build-lib", "built"],
        cwd=source,
        env={**os.environ, "PKG_CONFIG_LIBVIRT_LIBVIRT_API": os.fspath(description)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def main(source: Path, target: Path, *added: str) -> None:
    unknown = set(
        re.findall(r"^ERROR: failed (\w+)$", build(source, DESCRIPTIONS / "libvirt-api.xml").stdout, re.M)
    )
    flags = "".join(
        "    <enum name='{}' file='libvirt-domain' value='{}' type='virDomainMigrateFlags'/>\n".format(
            *one.split("=")
        )
        for one in added
    )
    (source / "api").mkdir(exist_ok=True)
    for path in DESCRIPTIONS.glob("*-api.xml"):
        text = FUNCTION.sub(lambda found: "" if found[1] in unknown else found[0], path.read_text())
        text = NAMED_VALUE.sub("", text)
        if path.name == "libvirt-api.xml":
            text = re.sub(r"( *<enum name='VIR_MIGRATE_LIVE')", lambda found: flags + found[1], text)
        (source / "api" / path.name).write_text(text)
    done = build(source, source / "api/libvirt-api.xml")
    if done.returncode != 0:
        sys.exit(done.stdout)
    (source / "built").rename(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
