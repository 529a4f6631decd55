"""A sandbox, a daemon and a configuration in a directory of their own."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from terminal import wait

KEYS = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "sandbox", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "sandbox-secret"}


class World:
    def __init__(self, program, scenario="", config=""):
        self.program, self.running = program, []
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="walk-"))
        (self.home / "scenario.toml").write_text(scenario)
        self.env = {**KEYS, "PREFETCHD_CONFIG": str(self.home / "prefetchd.toml")}
        listening = self.home / "listening"
        command = ["sandbox", "--listen", "127.0.0.1:0", "--scenario", str(self.home / "scenario.toml")]
        self.start(command, stdout=listening.open("w"))
        wait("the sandbox", lambda: listening.read_text().startswith("listening on "))
        endpoint = listening.read_text().split()[2]
        (self.home / "prefetchd.toml").write_text(
            f'[api]\nendpoint = "{endpoint}"\n[spool]\ndir = "{self.home}/spool"\n'
            f'[database]\nurl = "sqlite:{self.home}/prefetchd.db"\n[track]\nfirst_after = "1s"\n{config}'
        )

    def start(self, command, **out):
        out.setdefault("stdout", subprocess.DEVNULL)
        out.setdefault("stderr", subprocess.DEVNULL)
        env = {"PATH": os.environ["PATH"], **self.env}
        self.running.append(subprocess.Popen([self.program, *command], env=env, **out))

    def daemon(self):
        log = self.home / "log"
        self.start(["run", "--allow-root"], stderr=log.open("w"))
        wait("the daemon", lambda: " ready " in log.read_text())

    def quiet(self, *command):
        env = {"PATH": os.environ["PATH"], **self.env}
        return subprocess.run([self.program, *command], env=env, capture_output=True, text=True, check=False)

    def close(self):
        for process in reversed(self.running):
            process.terminate()
            process.wait()
        shutil.rmtree(self.home, ignore_errors=True)
