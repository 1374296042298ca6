"""tools/uv.py: uv takes packages from where pip would; a real index with an authority of its own."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tools.uv import pip_command, pip_settings, uv_environment

ADVICE = "error: the Python packages cannot be had"


def test_what_pip_is_set_to() -> None:
    listing = (
        ":env:.cert='/env.pem'\n:env:.default-timeout='180'\nglobal.cert='/global.pem'\n"
        "global.index-url='https://one/simple'\ninstall.index-url='https://two/simple'\n"
        "global.extra-index-url='\\nhttps://three/simple\\nhttps://four/simple'\nlist.format='json'\n"
    )
    settings = pip_settings(listing)
    assert settings == {
        "cert": "/env.pem",
        "timeout": "180",
        "index-url": "https://two/simple",
        "extra-index-url": "\nhttps://three/simple\nhttps://four/simple",
    }
    environment = uv_environment(
        settings, {"UV_HTTP_TIMEOUT": "7", "SSL_CERT_FILE": "/other.pem", "HOME": "/"}
    )
    assert environment == {
        "HOME": "/",
        "UV_SYSTEM_CERTS": "true",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_DEFAULT_INDEX": "https://two/simple",
        "UV_INDEX": "https://three/simple https://four/simple",
        "SSL_CERT_FILE": "/env.pem",
        "UV_HTTP_TIMEOUT": "7",
    }


def test_an_index_that_is_not_there_is_passed_over_as_pip_does(tmp_path: Path) -> None:
    settings = {"extra-index-url": f"file:///nowhere/simple file://{tmp_path}"}
    assert uv_environment(settings, {})["UV_INDEX"] == f"file://{tmp_path}"
    assert uv_environment({}, {"REQUESTS_CA_BUNDLE": "/ca.pem"})["SSL_CERT_FILE"] == "/ca.pem"


def test_pip_does_the_same() -> None:
    words = ["pip", "install", "--quiet", "--python", "x/python", "--require-hashes", "-r", "lock"]
    assert pip_command(words) == [
        *("x/python", "-m", "pip", "install", "--disable-pip-version-check"),
        *("--quiet", "--require-hashes", "-r", "lock"),
    ]
    assert pip_command(["pip", "compile", "pyproject.toml"]) is None


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """URL of a package index with one package, `lab-probe`, and the authority that signed its certificate."""
    folder = tmp_path_factory.mktemp("company")
    request = ("-newkey", "rsa:2048", "-nodes", "-days", "1")
    ca, key = folder / "ca.pem", folder / "key.pem"
    openssl("req", "-x509", *request, "-subj", "/CN=company", "-keyout", f"{folder}/ca.key", "-out", f"{ca}")
    openssl("req", "-x509", *request, "-subj", "/CN=localhost", "-keyout", f"{key}",
            "-out", f"{folder}/own.pem", "-addext", "subjectAltName=DNS:localhost",
            "-addext", "basicConstraints=critical,CA:FALSE",
            "-CA", f"{ca}", "-CAkey", f"{folder}/ca.key")  # fmt: skip
    project = folder / "www" / "lab-probe"
    project.mkdir(parents=True)
    wheel = "lab_probe-1.0-py3-none-any.whl"
    with zipfile.ZipFile(project / wheel, "w") as archive:
        info = "lab_probe-1.0.dist-info"
        archive.writestr("lab_probe.py", "")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: lab-probe\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    (project / "index.html").write_text(f'<a href="{wheel}">{wheel}</a>', encoding="utf-8")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem", key)
    server = ThreadingHTTPServer(
        ("localhost", 0), partial(SimpleHTTPRequestHandler, directory=os.fspath(folder / "www"))
    )
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://localhost:{server.server_address[1]}", ca
    server.shutdown()


def install(tmp_path: Path, pip_conf: str, **variables: str) -> tuple[int, str, bool]:
    """Install `lab-probe` with `variables` alone in the environment; code, output, whether it is there."""
    (tmp_path / "pip.conf").write_text(f"[global]\n{pip_conf}", encoding="utf-8")
    target = tmp_path / "target"
    uv = [sys.executable, "tools/uv.py", "pip", "install", "--python", sys.executable]
    done = subprocess.run(
        [*uv, "--target", target, "lab-probe"],
        cwd=PROJECT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=120,
        env={"PATH": os.environ["PATH"], "HOME": os.fspath(tmp_path),
             "UV_CACHE_DIR": os.fspath(tmp_path / "cache"),
             "PIP_CONFIG_FILE": os.fspath(tmp_path / "pip.conf"),
             "PIP_RETRIES": "0", "UV_HTTP_RETRIES": "0", **variables},
    )  # fmt: skip
    return done.returncode, done.stdout, (target / "lab_probe.py").exists()


def test_uv_takes_index_and_certificates_from_pip_conf(tmp_path: Path, company: tuple[str, Path]) -> None:
    url, ca = company
    code, said, there = install(tmp_path, f"index-url = {url}\ncert = {ca}\n")
    assert (code, there) == (0, True), said
    assert "pip tries" not in said


def test_uv_takes_the_index_from_pip_and_the_certificates_of_the_system(
    tmp_path: Path, company: tuple[str, Path]
) -> None:
    """SSL_CERT_FILE is how OpenSSL, and what follows the system with it, is told of another store."""
    url, ca = company
    variables = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": url, "SSL_CERT_FILE": os.fspath(ca)}
    code, said, there = install(tmp_path, "", **variables)
    assert (code, there) == (0, True), said
    assert "pip tries" not in said


def test_pip_installs_where_uv_cannot(tmp_path: Path, company: tuple[str, Path]) -> None:
    url, ca = company
    conf = f"index-url = {url}\ncert = {ca}\n"
    code, said, there = install(tmp_path, conf, UV_DEFAULT_INDEX="https://localhost:9")
    assert (code, there) == (0, True), said
    assert "uv cannot install the packages; pip tries" in said


def test_without_trust_one_line_says_what_to_set(tmp_path: Path, company: tuple[str, Path]) -> None:
    code, said, there = install(tmp_path, f"index-url = {company[0]}\n")
    assert (code, there) == (1, False), said
    assert said.splitlines()[-1].startswith(ADVICE)
    assert all(name in said.splitlines()[-1] for name in ("PIP_INDEX_URL", "PIP_CERT", "HTTPS_PROXY"))
