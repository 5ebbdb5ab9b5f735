"""Run the README's main command as a newcomer would, and ask it something in a real browser.

Not a unit test: `.ci/run` starts it. It ends with status 0 when the page shows the quote.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ONRECORD = Path(sys.executable).parent / "onrecord"
START_S = 120


def main() -> int:
    """Start `onrecord demo`, wait for its address, and load the page in headless Chromium."""
    demo = subprocess.Popen(
        [ONRECORD, "demo", "--no-browser", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        address = _address(demo)
        with tempfile.TemporaryDirectory() as profile:
            page = subprocess.run(
                [
                    *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
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
        shown = "The reports of the Hallow Dam story are in." in page
        print("the page shows the greeting" if shown else page[-3000:])
    finally:
        demo.terminate()
        status = demo.wait(timeout=30)
    return 0 if shown and status == 0 else 1


def _address(demo: subprocess.Popen[str]) -> str:
    ends = time.monotonic() + START_S
    while demo.stdout and time.monotonic() < ends and (line := demo.stdout.readline()):
        print(line, end="")
        if found := re.search(r"http://127\.0\.0\.1:\d+/\S*", line):
            return found.group()
    raise SystemExit("the demo did not print its address")


if __name__ == "__main__":
    raise SystemExit(main())
