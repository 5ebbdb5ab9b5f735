"""Takes the README's pictures: asks the demo in a real browser, and saves what it shows.

    python tests/pictures.py

Look at them afterwards. The browser is driven by its DevTools protocol.
"""

from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

sys.path.insert(0, str(Path(__file__).parent))
from smoke_demo import BROWSER, ONRECORD, address_of

PICTURES = Path(__file__).parents[1] / ".github"
SIZE = {"width": 620, "height": 1600, "deviceScaleFactor": 2, "mobile": False}
MESSAGES = "[...document.querySelectorAll('article.channel-message')]"
LAST = f"{MESSAGES}.at(-1)"
FOCUS = "document.getElementById('channel-composer-input').focus()"
RECTANGLE = f"""(() => {{
    {LAST}.scrollIntoView({{block: "end"}});
    const box = {LAST}.getBoundingClientRect();
    return {{x: box.x, y: box.y, width: box.width, height: box.height}};
}})()"""


class Page:
    """A page in the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._calls = 0

    async def call(self, method: str, **params: Any) -> Any:
        """Call a method of the DevTools protocol."""
        self._calls += 1
        await self._socket.send_json({"id": self._calls, "method": method, "params": params})
        while True:
            message = await self._socket.receive_json()
            if message.get("id") == self._calls:
                return message.get("result")

    async def run(self, script: str) -> Any:
        """Run JavaScript, and return its value."""
        answer = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    async def wait_for(self, script: str) -> None:
        """Wait until an expression is true, at most five minutes."""
        deadline = time.monotonic() + 300
        while not await self.run(script):
            if time.monotonic() > deadline:
                raise TimeoutError(script)
            await asyncio.sleep(0.3)

    async def save(self, name: str) -> None:
        """Save a picture of the last message."""
        await asyncio.sleep(1)
        clip = {**await self.run(RECTANGLE), "scale": 1}
        shot = await self.call("Page.captureScreenshot", format="png", clip=clip)
        (PICTURES / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))

    async def type(self, text: str) -> None:
        """Type into the field that has the focus."""
        await self.call("Input.insertText", text=text)

    async def enter(self) -> None:
        """Press the Enter key."""
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
        await self.call("Input.dispatchKeyEvent", type="keyDown", text="\r", **key)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    async def until_last_says(self, words: str) -> None:
        """Wait until the last message has these words."""
        await self.wait_for(f"{LAST}.innerText.includes({words!r})")

    async def ask(self, question: str) -> None:
        """Ask in a message, and wait for the answer to it."""
        before = await self.run(f"{MESSAGES}.length")
        await self.run(FOCUS)
        await self.type(f"@On Record {question}")
        await self.enter()
        await self.wait_for(f"{MESSAGES}.length >= {before + 2}")
        await self.until_last_says("Quoted verbatim")

    async def press(self, label: str) -> None:
        """Press a button of the last message."""
        buttons = f"[...{LAST}.querySelectorAll('button')]"
        await self.run(f"{buttons}.find(b => b.innerText.includes({label!r})).click()")

    async def command(self, name: str, value: str) -> None:
        """Choose a command from the list that its name opens, and send it with one option."""
        await self.run(FOCUS)
        await self.type(f"/{name}")
        await self.wait_for("!!document.querySelector('#command-picker-listbox [role=option]')")
        await self.enter()
        await self.wait_for("document.activeElement.tagName == 'INPUT'")
        await self.type(value)
        await self.enter()


async def take_pictures(address: str, port: str) -> None:
    """Ask in the browser that listens on a port, and save a picture of each answer."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{port}/json") as listed:
            pages = [each for each in await listed.json() if each["type"] == "page"]
        async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            page = Page(socket)
            await page.call("Emulation.setDeviceMetricsOverride", **SIZE)
            await page.call("Page.navigate", url=address)
            await page.wait_for(f"{LAST}?.innerText.includes('reports of the Hallow Dam')")
            await asyncio.sleep(4)  # until it takes what is typed
            await page.ask("Who is the president of Arvenland?")
            await page.save("decline")
            await page.ask("Had the crews been warned about the gate?")
            await page.save("demo")
            answer = await page.run(f"{LAST}.innerText.match(/answer\\s+(\\w+)/)[1]")
            await page.press("More passages")
            await page.until_last_says("More on:")
            await page.save("more")
            await page.command("why", answer)
            await page.until_last_says("As the reports were")
            await page.save("why")


@contextmanager
def browser() -> Iterator[str]:
    """Start a browser, and yield the port on which it can be driven."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = [
            *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "about:blank"),
            *(f"--user-data-dir={profile}", "--remote-debugging-port=0"),
        ]
        process = subprocess.Popen([BROWSER, *options], stderr=subprocess.DEVNULL)
        try:
            port = Path(profile, "DevToolsActivePort")
            while not port.exists():
                time.sleep(0.2)
            yield port.read_text(encoding="utf-8").split()[0]
        finally:
            process.terminate()
            process.wait(timeout=30)


def main() -> None:
    """Start the demo, and take the pictures."""
    command = [ONRECORD, "demo", "--no-browser", "--port", "0"]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        with browser() as port:
            asyncio.run(take_pictures(address_of(demo), port))
    finally:
        demo.terminate()
        demo.wait(timeout=30)


if __name__ == "__main__":
    main()
