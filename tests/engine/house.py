"""Sets the whole house up on this machine: MLX's own server, a Hub, and an agent that signed in to it and serves."""

import json
import subprocess
import sys
import urllib.request
from functools import partial
from pathlib import Path

from browser import approve
from processes import Gone, Process, free_port, wait_until

START_PATIENCE_S = 60.0  # until a process does what it was started for, on a machine that is busy building
COMMAND_PATIENCE_S = 20.0
PORT_TRIES = 3
MODEL = "tiny"  # what clients call it; `porten-hub serve --dev` offers it
BUDGET_MIB = "1024"


def ask(url: str, body: dict | None = None, patience_s: float = 5.0) -> dict:
    """The JSON that a server on this machine answers: to a POST of `body`, or to a GET."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=patience_s) as answer:
        return json.load(answer)


class House:
    """The three processes. `open` starts them in order; `close` ends whatever runs, also after half an `open`."""

    def __init__(self, commands: Path, model: Path, home: Path):
        self.commands, self.model, self.home = commands, model, home
        self.engine_url = self.hub_url = self.api_key = self.passphrase = ""
        self.processes: list[Process] = []

    def open(self) -> None:
        self.engine = self._start_engine()
        hub = self._start("hub", self._command("porten-hub", "serve", "--dev", "--json", "--listen", "127.0.0.1:0"))
        told = json.loads(hub.line(0, START_PATIENCE_S))
        self.hub_url, self.api_key, self.passphrase = told["url"], told["api_key"], told["passphrase"]
        self._sign_in(told["account"])
        agent = self._start("agent", self._command("porten", "run"), self._agent_env())

        def is_serving() -> bool:
            agent.must_live()
            return any(rung["step"] == "serving" and rung["state"] == "reached" for rung in self.status()["ladder"])

        wait_until("`porten status --json` says serving", START_PATIENCE_S, is_serving)

    def close(self) -> None:
        for process in reversed(self.processes):
            process.end()

    def status(self) -> dict:
        """What `porten status --json` says, or a picture without a rung while no agent answers yet."""
        done = subprocess.run(
            self._command("porten", "status", "--json"),
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.home), **self._agent_env()},
            capture_output=True,
            timeout=COMMAND_PATIENCE_S,
            check=False,
        )
        return json.loads(done.stdout) if done.returncode == 0 else {"ladder": [], "traffic": {}}

    def own_logs(self) -> str:
        """All that the Hub and the agent logged; what the engine logs is its own affair."""
        ours = [process for process in self.processes if process is not self.engine]
        return "\n".join(process.log.read_text(errors="replace") for process in ours)

    def tails(self) -> str:
        return "\n".join(process.tail() for process in self.processes)

    def _start(self, name: str, command: list[str], env: dict[str, str] | None = None) -> Process:
        process = Process(name, command, self.home, env or {})
        self.processes.append(process)
        return process

    def _command(self, name: str, *words: str) -> list[str]:
        return [str(self.commands / name), *words]

    def _agent_env(self) -> dict[str, str]:
        return {
            "PORTEN_HUB_URL": self.hub_url.replace("http://", "ws://"),
            "PORTEN_ENGINE": "openai",
            "PORTEN_ENGINE_URL": self.engine_url,
            "PORTEN_VRAM_BUDGET_MB": BUDGET_MIB,
            "PORTEN_ENGINE_MODELS": MODEL,
            "PORTEN_HOME": str(self.home / "porten"),
            "PORTEN_KEYCHAIN": "file",
            "XDG_CONFIG_HOME": str(self.home / "config"),
        }

    def _start_engine(self) -> Process:
        """mlx_lm.server cannot choose a free port by itself, so one is picked, and another if that was taken."""
        cache = self.home / "huggingface"
        (cache / "hub").mkdir(parents=True)  # without this folder its /v1/models is 200 with an empty body
        for _ in range(PORT_TRIES):
            port = free_port()
            self.engine_url = f"http://127.0.0.1:{port}"
            command = [sys.executable, "-m", "mlx_lm", "server", "--model", str(self.model)]
            command += ["--host", "127.0.0.1", "--port", str(port)]
            # Offline: an engine that is asked for an unknown model would look for it on the internet.
            engine = self._start("engine", command, {"HF_HUB_OFFLINE": "1", "HF_HOME": str(cache)})

            try:
                wait_until("the engine lists its model", START_PATIENCE_S, partial(self._lists_models, engine))
                return engine
            except Gone:
                if engine.child.poll() is None:
                    raise
        raise Gone("the engine does not start")

    def _lists_models(self, engine: Process) -> bool:
        engine.must_live()
        try:
            return bool(ask(f"{self.engine_url}/v1/models")["data"])
        except OSError:
            return False

    def _sign_in(self, account: str) -> None:
        login = self._start("login", self._command("porten", "login", "--no-browser", "--json"), self._agent_env())
        asked = json.loads(login.line(0, COMMAND_PATIENCE_S))
        page = approve(asked["verification_uri_complete"], account, self.passphrase)
        if "Connected" not in page:
            raise Gone(f"the Hub's page does not say Connected: {page!r}")
        if code := login.finish(COMMAND_PATIENCE_S):
            raise Gone(f"porten login ended with {code}")
