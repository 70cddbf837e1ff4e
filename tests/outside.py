"""What a program and its children do to the outside: hosts they turn to and files they write, as strace sees it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_CALLS = "connect,sendto,sendmsg,sendmmsg,open,openat,openat2,creat,rename,renameat,renameat2"
_ADDRESS = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)")')
_OPENED = re.compile(r'open\w*\((?:\w+<([^>]*)>, )?"([^"]+)", [^"]*(?:O_WRONLY|O_RDWR|O_CREAT)')
_MADE = re.compile(r'(?:creat|rename)\w*\(.*(?:\w+<([^>]*)>, )?"([^"]+)"')
_HARMLESS = ("/dev/", "/proc/")
# What programs need of the caller's environment; more may turn off what is looked for, as `CI` does for ONNX Runtime.
_KEPT = re.compile(r"PATH|LANG|LC_.*|LD_LIBRARY_PATH|PYTHON.*|VIRTUAL_ENV|OMP_.*")
_DNS = 53


@cache
def can_trace() -> bool:
    """Whether strace is here and may look at other processes."""
    strace = shutil.which("strace")
    return bool(strace) and subprocess.run([str(strace), "-qq", "-f", "true"], capture_output=True).returncode == 0


@dataclass(frozen=True)
class Outside:
    """A place for programs to run in: a home of their own, a folder for temporary files, and their log.

    Args:
        folder: holds it all; what is written elsewhere is a trespass.
        cache: of models that are prepared already.
    """

    folder: Path
    cache: Path

    @property
    def home(self) -> Path:
        """The home of the user who runs them."""
        return self.folder / "home"

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of the programs: little of the caller's."""
        kept = {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)}
        temporary = self.folder / "tmp"
        for folder in (self.home, temporary):
            folder.mkdir(exist_ok=True)
        return kept | {
            "HOME": str(self.home),
            "TMPDIR": str(temporary),
            "QUARRY_CACHE": str(self.cache),
            "PYTHONDONTWRITEBYTECODE": "1",
            # What others on this machine may have turned on for programs of their own.
            "ORT_DISABLE_TELEMETRY": "0",
            "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://192.0.2.1:4318",
        }

    def command(self, arguments: Sequence[str | Path]) -> list[str | Path]:
        """Return the command line that runs `arguments` under strace."""
        log = self.folder / "strace.log"
        log.unlink(missing_ok=True)
        return [
            "strace",
            "-f",
            "-qq",
            "-y",
            "-s",
            "200",
            "--seccomp-bpf",
            "-e",
            f"trace={_CALLS}",
            "-o",
            log,
            *arguments,
        ]

    def run(self, *arguments: str | Path) -> None:
        """Run a program to its end, and check that it kept to itself."""
        run = subprocess.run(
            self.command(arguments), env=self.environment, cwd=self.folder, capture_output=True, timeout=240
        )
        assert run.returncode == 0, run.stderr.decode()
        self.check()

    @contextmanager
    def running(self, *arguments: str | Path) -> Iterator[Path]:
        """Run a program until the block ends, and check then; gives the file of what it says on standard error."""
        said = self.folder / "stderr.log"
        with said.open("wb") as file:
            process = subprocess.Popen(
                self.command(arguments), env=self.environment, cwd=self.folder, stderr=file, process_group=0
            )
            try:
                yield said
            finally:
                os.killpg(process.pid, signal.SIGINT)  # strace, which writes to a file, waits for what it runs
                process.wait(60)
        self.check()

    def check(self) -> None:
        """Check the last run: no host but this machine was turned to, and nothing was written elsewhere."""
        lines = [
            line.split(None, 1)[-1] for line in (self.folder / "strace.log").read_text("utf-8", "replace").splitlines()
        ]
        assert any("openat(" in line for line in lines), "it was not watched at all"
        assert not (foreign := [line for line in lines if _is_foreign(line)]), foreign
        own = (str(self.folder), str(self.cache), *_HARMLESS)
        assert not (elsewhere := [path for path in self._written(lines) if not path.startswith(own)]), elsewhere
        kept = [path.relative_to(self.home).as_posix() for path in self.home.rglob("*") if path.is_file()]
        assert not (others := [path for path in kept if not re.match(r"\.(cache|local/share)/quarry/", path)]), others

    def _written(self, lines: Sequence[str]) -> set[str]:
        """Return the paths of the files that were opened for writing, or renamed."""
        calls = [line for line in lines if " = -1 " not in line]
        found = [call for line in calls if (call := _OPENED.match(line) or _MADE.match(line))]
        return {os.path.join(call[1] or self.folder, call[2]) for call in found}  # noqa: PTH118 - of text


def _is_foreign(line: str) -> bool:
    """Whether a call turns to another host, or asks for the name of one."""
    address = _ADDRESS.search(line)
    if address is None:
        return False
    port, host = int(address[1]), address[2] or address[3]
    return port == _DNS or not (host.removeprefix("::ffff:").startswith("127.") or host == "::1")
