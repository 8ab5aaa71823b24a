"""Starts the processes of the test, each with a home and a log of its own, and ends each by its own handle."""

import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import psutil

END_PATIENCE_S = 10.0  # from SIGTERM to SIGKILL
LOG_TAIL_LINES = 60


class Gone(Exception):
    """A process ended, or said nothing, when it was needed."""


class Process:
    """One child. Standard output is kept as lines to wait for; standard error goes to the log."""

    def __init__(self, name: str, command: list[str], home: Path, env: dict[str, str]):
        self.name = name
        self.log = home / f"{name}.log"
        clean = {key: os.environ[key] for key in ("PATH", "TMPDIR", "LANG") if key in os.environ}
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                command,
                cwd=home,
                env={**clean, "HOME": str(home), **env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._lines: list[str] = []
        self._told = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.child.stdout
        with self.child.stdout as stdout:
            for line in stdout:
                with self._told:
                    self._lines.append(line.rstrip("\n"))
                    self._told.notify_all()

    def line(self, number: int, patience_s: float) -> str:
        """The line with this number (from 0) on standard output, once it is there."""
        end = time.monotonic() + patience_s
        with self._told:
            while len(self._lines) <= number:
                left = end - time.monotonic()
                if left <= 0 or (self.child.poll() is not None and not self._reader.is_alive()):
                    raise Gone(f"{self.name} did not print line {number} (exit code {self.child.poll()})")
                self._told.wait(min(left, 0.2))
            return self._lines[number]

    def finish(self, patience_s: float) -> int:
        """Its exit code, once it has ended by itself."""
        try:
            return self.child.wait(patience_s)
        except subprocess.TimeoutExpired as cause:
            raise Gone(f"{self.name} did not end within {patience_s} s") from cause

    def must_live(self) -> None:
        if self.child.poll() is not None:
            raise Gone(f"{self.name} ended with {self.child.returncode}")

    def cpu_s(self) -> float:
        """The processor time that it has used so far."""
        times = psutil.Process(self.child.pid).cpu_times()
        return times.user + times.system

    def end(self) -> None:
        """Asks it to end, then makes it. Ending twice is ending once."""
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(END_PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self._reader.join(END_PATIENCE_S)

    def tail(self) -> str:
        """The end of its log, and how it ended."""
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n".join([f"---- {self.name} (exit code {self.child.poll()}) ----", *lines])


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on. Another process may take it first: who uses it tries again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(what: str, patience_s: float, is_so) -> None:
    """Asks every 0.1 s until `is_so()` is true."""
    end = time.monotonic() + patience_s
    while not is_so():
        if time.monotonic() > end:
            raise Gone(f"{what}: not within {patience_s} s")
        time.sleep(0.1)
