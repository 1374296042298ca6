"""Call uv with what pip is set to: tools/uv.py ARGUMENTS-OF-UV, by the Python of .venv.

uv reads neither pip.conf nor PIP_* and trusts certificates of its own, so behind a company's package index or
certificate authority it fails where pip does not. Here both take the same index and the same certificates; a
variable of uv's own that is set (UV_*) stays as it is. Where uv is missing or cannot install, pip does.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# What names a file of trusted certificates to pip, beside its own setting "cert" (requests, sessions.py).
REQUESTS_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
# pip's setting: (uv's variable, what stands between several values there).
VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "no-index": ("UV_NO_INDEX", " "),
    "keyring-provider": ("UV_KEYRING_PROVIDER", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "client-cert": ("SSL_CLIENT_CERT", " "),
    "proxy": ("HTTPS_PROXY", " "),
}
ADVICE = (
    "error: the Python packages cannot be had; the reason is above. Behind a package index of your own set"
    " PIP_INDEX_URL (or index-url in pip.conf), behind a certificate authority of your own PIP_CERT (cert),"
    " behind a proxy HTTPS_PROXY: pip and uv both take them from there"
)


def pip_settings(listing: str) -> dict[str, str]:
    """pip's settings by name, of what `pip config list` prints: one `SECTION.NAME='VALUE'` a line.

    As in pip, a setting for `install` counts more than a global one, and the environment most.
    """
    found: dict[str, tuple[int, str]] = {}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        rank = {"global": 0, "install": 1, ":env:": 2}.get(section)
        name = {"default-timeout": "timeout"}.get(name, name)
        if rank is not None and rank >= found.get(name, (0, ""))[0]:
            found[name] = rank, str(ast.literal_eval(value))
    return {name: value for name, (_, value) in found.items()}


def is_there(place: str) -> bool:
    """Whether an index or a folder of packages can be asked; pip passes over a folder that is not there."""
    return not place.startswith("file:") or Path(place.removeprefix("file://")).exists()


def uv_environment(settings: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """The environment that has uv do as pip does.

    :param settings: pip's settings by name
    :param environment: the present environment; what it says to uv stays
    """
    # Several indexes are one to pip; uv by itself would take the first that has heard of a package.
    wanted = {"UV_SYSTEM_CERTS": "true", "UV_INDEX_STRATEGY": "unsafe-best-match"}
    for variable in reversed(REQUESTS_VARIABLES):
        if environment.get(variable):
            wanted["SSL_CERT_FILE"] = environment[variable]
    for name, (variable, separator) in VARIABLES.items():
        value = separator.join(place for place in settings.get(name, "").split() if is_there(place))
        if value:
            wanted[variable] = value
    of_uv = {name: value for name, value in environment.items() if name.startswith("UV_")}
    return {**environment, **wanted, **of_uv}


def pip_command(arguments: Sequence[str]) -> list[str] | None:
    """The call of pip that does what `uv pip install ... --python PYTHON` does; None for another call."""
    if list(arguments[:2]) != ["pip", "install"] or "--python" not in arguments:
        return None
    place = arguments.index("--python")
    rest = [*arguments[2:place], *arguments[place + 2 :]]
    return [arguments[place + 1], "-m", "pip", "install", "--disable-pip-version-check", *rest]


def main(arguments: Sequence[str]) -> int:
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], text=True, capture_output=True, check=False
    )
    environment = uv_environment(pip_settings(listing.stdout), os.environ)
    uv = Path(sys.executable).with_name("uv")
    fallback = pip_command(arguments)
    code = subprocess.run([uv, *arguments], env=environment, check=False).returncode if uv.exists() else 1
    if code != 0 and fallback:
        if uv.exists():
            print("uv cannot install the packages; pip tries", file=sys.stderr)
        code = subprocess.run(fallback, check=False).returncode
        if code != 0:
            print(ADVICE, file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
