"""Debian's chromium without a screen, driven over a pipe of its DevTools protocol: no driver, no port.

Commands go to the browser's file descriptor 3 and answers come from 4, each a JSON text ended by a NUL byte
(`--remote-debugging-pipe`); https://chromedevtools.github.io/devtools-protocol/ names them.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)
# Long, for machines that also run labs.
ANSWER_SECONDS = 120.0
ENDING_SECONDS = 30.0


class Browser:
    """One tab. `events` holds everything that the browser told unasked."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from = to_browser, from_browser
        self._received = b""
        self._last = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command and wait for its answer; AssertionError with the browser's words if it refuses."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < deadline:
            for answer in self._messages(deadline):
                if answer.get("id") == self._last:
                    assert "error" not in answer, f"{method}: {answer['error']}"
                    return answer["result"]
                self.events.append(answer)
        raise AssertionError(f"{method}: no answer within {ANSWER_SECONDS:g} s")

    def open(
        self, page: Path, width: int, scheme: str = "light", media: str = "screen", script: bool = True
    ) -> None:
        """Load a file into a window of this width, in the light or dark theme, and wait until it is there.

        A width below 600 is a phone's. media: screen or print; script: whether the page's own may run.
        """
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.call(
            "Emulation.setEmulatedMedia",
            media=media,
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        self._go("about:blank")
        self.events.clear()
        self._go(page.as_uri())

    def _go(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        deadline = time.monotonic() + ANSWER_SECONDS
        while self.run("`${document.readyState} ${location.href}`") != f"complete {url}":
            assert time.monotonic() < deadline, f"{url}: not loaded within {ANSWER_SECONDS:g} s"
            time.sleep(0.05)

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def told(self, *methods: str) -> list[dict[str, Any]]:
        """Parameters of the events of these names since the page was opened."""
        return [event["params"] for event in self.events if event["method"] in methods]

    def shot(self, **how: Any) -> bytes:
        """A PNG of what is in the window; `how`: parameters of Page.captureScreenshot."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", **how)["data"])

    def print_to(self, file: Path) -> None:
        """The page as PDF."""
        answer = self.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)
        file.write_bytes(base64.b64decode(answer["data"]))

    def _messages(self, deadline: float) -> Iterator[dict[str, Any]]:
        """Whole messages that have arrived; waits for the first."""
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._from], [], [], max(0.0, deadline - time.monotonic()))
            chunk = os.read(self._from, 1 << 20) if ready else b""
            if not chunk:
                return
            self._received += chunk
        *whole, self._received = self._received.split(b"\0")
        yield from (json.loads(text) for text in whole)


@contextmanager
def browser(directory: Path) -> Iterator[Browser]:
    """A browser with a profile of its own in `directory`; ends it, and only it, afterwards."""
    assert shutil.which("chromium"), "the page's tests need Debian's chromium: call `make test-tools`"
    commands, to_browser = os.pipe()
    from_browser, answers = os.pipe()
    command = " ".join(("exec chromium", *FLAGS, '"--user-data-dir=$0"', f"3<&{commands} 4>&{answers}"))
    with (directory / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", command, str(directory / "profile")],
            pass_fds=(commands, answers),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    os.close(commands)
    os.close(answers)
    try:
        yield Browser(to_browser, from_browser)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        os.close(to_browser)
        os.close(from_browser)
