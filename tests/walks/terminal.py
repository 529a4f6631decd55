"""A terminal with a shell in it, as somebody at a keyboard has it: tmux, of a given size and language."""

import os
import pathlib
import shlex
import subprocess
import time
import unicodedata

# Nothing here takes so long unless it never happens.
DEADLINE = 120


def wait(what, is_so):
    end = time.monotonic() + DEADLINE
    while not is_so():
        if time.monotonic() > end:
            raise SystemExit(f"waited in vain for {what}")
        time.sleep(0.05)


def width(line):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


class Terminal:
    """A shell in a terminal of its own server, which ends with it."""

    def __init__(self, home, program, lang, columns, rows, env):
        self.home, self.rows, self.columns = pathlib.Path(home), rows, columns
        (self.home / "bin").mkdir(exist_ok=True)
        (self.home / "bin" / "prefetchd").symlink_to(program)
        self.exits = self.home / "exits"
        self.exits.write_text("")
        self.socket = str(self.home / "tmux")
        rc = self.home / "rc"
        rc.write_text(f"PS1='$ '\nPROMPT_COMMAND='echo $? >>{self.exits}'\n")
        shown = {
            "PATH": f"{self.home}/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "TERM": "screen-256color",
            "LANG": lang,
            "PAGER": "cat",
            **env,
        }
        shell = ["env", "-i", *(f"{key}={value}" for key, value in shown.items()), "bash", "--noprofile", "--rcfile", str(rc), "-i"]
        size = ["-x", str(columns), "-y", str(rows)]
        self.tmux("-f", "/dev/null", "new-session", "-d", *size, "-c", str(self.home), shlex.join(shell))
        self.tmux("set-option", "-g", "status", "off")
        wait("the shell's prompt", lambda: self.done() == 1)

    def tmux(self, *args):
        # tmux itself needs a locale that there is; the shell has its own.
        env = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "screen-256color"}
        done = subprocess.run(["tmux", "-u", "-S", self.socket, *args], capture_output=True, text=True, env=env, check=False)
        if done.returncode:
            raise SystemExit(f"tmux {args}: {done.stderr}")
        return done.stdout

    def done(self):
        return len(self.exits.read_text().splitlines())

    def type(self, command):
        """Types a command at an empty screen. Returns its exit code, and the lines that it left, with those above the screen."""
        self.tmux("send-keys", "C-l")
        wait("an empty screen", lambda: self.screen() == ["$"])
        self.tmux("clear-history")
        before = self.done()
        self.tmux("send-keys", "-l", command)
        self.tmux("send-keys", "Enter")
        wait(f"the end of {command}", lambda: self.done() > before and self.screen()[-1:] == ["$"])
        lines = self.screen(above=True)
        return int(self.exits.read_text().split()[-1]), lines[:-1]

    def screen(self, above=False):
        start = ["-S", "-2000"] if above else []
        return self.tmux("capture-pane", "-p", *start).rstrip("\n").rstrip().splitlines()

    def close(self):
        self.tmux("kill-server")
