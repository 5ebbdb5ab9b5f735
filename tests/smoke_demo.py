"""Runs the README's first command as a newcomer would, and opens its page in a real browser.

Not a unit test: `.ci/run` runs it. The exit status is 0 if the page shows the bot's greeting.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ONRECORD = Path(sys.executable).parent / "onrecord"
BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or "chromium"
START_TIMEOUT_S = 120


def main() -> int:
    """Start `onrecord demo`, wait for its address, and load the page in headless Chromium."""
    demo = subprocess.Popen(
        [ONRECORD, "demo", "--no-browser", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        address = address_of(demo)
        with tempfile.TemporaryDirectory() as profile:
            page = subprocess.run(
                [
                    *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
                    *("--no-first-run", "--disable-background-networking"),
                    *("--disable-component-update", "--disable-sync"),
                    *(f"--user-data-dir={profile}", "--virtual-time-budget=8000", "--dump-dom"),
                    address,
                ],
                capture_output=True,
                text=True,
                timeout=90,
                check=True,
            ).stdout
        greeted = "The reports of the Hallow Dam story are ready." in page
        print("the page shows the greeting" if greeted else page[-3000:])
    finally:
        demo.terminate()
        status = demo.wait(timeout=30)
    return 0 if greeted and status == 0 else 1


def address_of(demo: subprocess.Popen[str]) -> str:
    """Return the address that a starting demo prints."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while demo.stdout and time.monotonic() < deadline and (line := demo.stdout.readline()):
        print(line, end="")
        if address := re.search(r"http://127\.0\.0\.1:\d+/\S*", line):
            return address.group()
    raise SystemExit("the demo did not print its address")


if __name__ == "__main__":
    raise SystemExit(main())
