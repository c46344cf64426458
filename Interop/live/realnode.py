"""The real node under test: the built `pawl` in a folder of its own, driven by its command line."""

import asyncio
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

_READY_SECONDS = 30
_COMMAND_SECONDS = 60


def binary() -> str:
    """PAWL says which; scripts/interop.sh sets it."""
    path = os.environ.get("PAWL") or shutil.which("pawl")
    if path is None:
        raise RuntimeError("no pawl to test against: run `make interop`, or set PAWL to the binary")
    return str(Path(path).resolve())


class CommandFailed(Exception):
    def __init__(self, exit_code: int, lines: list[dict[str, Any]], errors: str) -> None:
        super().__init__(f"exit {exit_code}: {lines} {errors}")
        self.exit_code = exit_code
        self.lines = lines


class RealNode:
    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.home = folder / ".pawl"
        self.name = name
        self.node_id = b""
        self.port = 0
        self._process: asyncio.subprocess.Process | None = None
        folder.mkdir(parents=True, exist_ok=True)

    async def start(self) -> None:
        """On a free port of the loopback interface, which it keeps."""
        with (self.folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                binary(),
                *("up", "--listen", f"127.0.0.1:{self.port}", "--name", self.name),
                cwd=self.folder,
                env=self._environment(),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(_READY_SECONDS):
            line = await self._process.stdout.readline()
        words = line.decode().split()
        if len(words) != 4 or words[0] != "ready":
            raise RuntimeError(f"the node is not ready: {line!r}\n{self.log}")
        self.node_id = bytes.fromhex(words[1]) if len(words[1]) == 64 else b""
        self.port = int(words[3].rpartition(":")[2])

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-4_000:]

    def _environment(self) -> dict[str, str]:
        return os.environ | {"PAWL_HOME": str(self.home), "PAWL_LOG": "info"}

    async def kill(self) -> None:
        """As a power cut would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(how)
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def command(self, *arguments: str, text: str | None = None, seconds: float = _COMMAND_SECONDS) -> dict[str, Any]:
        """The last line of `pawl … --json`, a result; anything else is `CommandFailed`."""
        process = await asyncio.create_subprocess_exec(
            binary(),
            *arguments,
            "--json",
            cwd=self.folder,
            env=self._environment(),
            stdin=asyncio.subprocess.PIPE if text is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(seconds):
                out, errors = await process.communicate(text.encode() if text is not None else None)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise CommandFailed(-1, [], f"{arguments} did not end within {seconds} s\n{self.log}") from None
        lines = [json.loads(line) for line in out.splitlines()]
        if process.returncode != 0 or not lines or lines[-1].get("type") != "result":
            raise CommandFailed(process.returncode or 0, lines, errors.decode(errors="replace"))
        return dict(lines[-1])

    async def invite(self, alias: str | None) -> str:
        """An alias says that the joiner is none of the peers that are called otherwise."""
        return str((await self.command("invite", *([alias] if alias else []), "--no-wait"))["ticket"])

    async def join(self, ticket: str, alias: str) -> dict[str, Any]:
        return await self.command("join", "-", "--alias", alias, text=ticket + "\n")
