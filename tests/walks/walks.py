"""The walks. Usage: walks.py PROGRAM TRANSCRIPTS [--write]"""

import pathlib
import re
import sys
from concurrent.futures import ThreadPoolExecutor

from terminal import Terminal, wait, width
from world import World

program, transcripts = sys.argv[1], pathlib.Path(sys.argv[2])
SIZES = [(80, 24), (200, 50)]
LANGS = {"en": "C.UTF-8", "zh": "zh_CN.UTF-8"}
URLS = "".join(f"https://vod.example.com/film/seg-{n:03}.ts\n" for n in range(40))


class Walk:
    """One person in front of one terminal."""

    def __init__(self, title, world, lang, size):
        self.title, self.world, self.lang, self.size = title, world, lang, size
        self.terminal = Terminal(world.home, program, LANGS[lang], *size, world.env)
        self.steps = []

    def step(self, command, code, en, zh, fits=False):
        """A command that ends with this code and says all of these, in the language of the terminal."""
        got, lines = self.terminal.type(command)
        text = "\n".join(lines)
        where = f"{self.title}, {self.lang}, {self.size[0]} x {self.size[1]}: {command}\n{text}\n"
        if got != code:
            raise SystemExit(f"{where}exit {got}, not {code}")
        # A line that the terminal broke is one again.
        flat = text.replace("\n", "")
        for part in en if self.lang == "en" else zh:
            if part.replace("\n", "") not in flat:
                raise SystemExit(f"{where}does not say {part!r}")
        if fits and len(lines) > self.size[1]:
            raise SystemExit(f"{where}{len(lines)} lines do not fit {self.size[1]}")
        if any(width(line) > self.size[0] for line in lines):
            raise SystemExit(f"{where}is too wide")
        for secret in ("sandbox-secret", "os error", "Some(", "None"):
            if secret in text:
                raise SystemExit(f"{where}says {secret}")
        self.steps.append((command, lines))
        return lines

    def remedies(self, lines):
        """What the screen says to type."""
        return [line.split("$ ", 1)[1].strip() for line in lines[1:] if line.lstrip().startswith("$ ")]

    def transcript(self):
        text = "\n\n".join("\n".join(f"    {line}".rstrip() for line in lines) for _, lines in self.steps)
        text = text.replace(str(self.world.home), "/srv/films").replace(program, "prefetchd")
        return f"# {self.title}\n\nWritten by `tests/walks/run --write`.\n\n{re.sub(r'127.0.0.1:[0-9]+', '127.0.0.1:8787', text)}\n"

    def commands(self):
        return [command for command, _ in self.steps]


def newcomer(walk):
    world = walk.world
    (world.home / "films.txt").write_text("#: label = Premiere\n" + URLS)
    walk.step("prefetchd", 64, ["prefetchd check", "prefetchd --help"], ["下一步：", "prefetchd check", "prefetchd --help"])
    walk.step("prefetchd check", 0, ["ok", "(5 folders will be made)"], ["正常", "将会创建 5 个目录"])
    walk.step("prefetchd demo", 0, ["verdict     well"], ["结论        正常"])
    walk.step("prefetchd status", 69, ["makes it"], ["处还没有数据库"], fits=True)
    world.daemon()
    walk.step("prefetchd add films.txt", 0, ["films.txt"], ["films.txt"])
    walk.step("prefetchd wait films.txt", 0, ["films.txt: all 40 URLs are warm"], ["films.txt：全部 40 个 URL 已预热"])
    walk.step("prefetchd status", 0, ["films.txt", "Premiere"], ["films.txt", "Premiere"], fits=True)
    walk.step("prefetchd why https://vod.example.com/film/seg-001.ts", 0, ["films.txt"], ["films.txt"])


def operator(walk):
    world = walk.world
    (world.home / "films.txt").write_text("#: priority = urgent\n" + URLS)
    world.daemon()
    walk.step("prefetchd check", 0, ["ok"], ["正常"])
    walk.step("prefetchd pause --reason 'work on the origin'", 0, ["paused"], ["暂停"])
    walk.step("prefetchd add films.txt", 0, ["films.txt"], ["films.txt"])
    wait("the file", lambda: "films.txt" in world.quiet("files", "--state", "pending").stdout)
    lines = walk.step("prefetchd status", 1, ["work on the origin", "$ prefetchd resume"], ["work on the origin", "$ prefetchd resume"], fits=True)
    [resume] = [command for command in walk.remedies(lines) if " resume" in command]
    walk.step(resume, 0, ["resumed"], ["继续"])
    walk.step("prefetchd wait films.txt --for sent", 0, ["films.txt"], ["films.txt"])
    walk.step("prefetchd status", 0, ["40"], ["40"], fits=True)
    walk.step("prefetchd forecast", 0, [], [])
    walk.step("prefetchd budget confirm --help", 0, ["Usage"], ["Usage"])


def editor(walk):
    world = walk.world
    rows = "url,priority\nhttps://vod.example.com/a.mp4,urgent\nhttps：//vod.example.com/b.mp4,\nhttps://vod.example.com/c.mp4 old,\n"
    (world.home / "list.csv").write_text(rows)
    (world.home / "list.xlsx").write_bytes(b"PK\x03\x04\x14\x00\x06\x00" + b"xl/workbook.xml" * 8)
    (world.home / "bad.txt").write_text("#: prioriti = urgent\n" + URLS)
    world.daemon()
    walk.step("prefetchd add list.xlsx", 65, ["workbook", "CSV UTF-8"], ["工作簿", "CSV UTF-8"])
    walk.step("prefetchd add bad.txt", 65, ["prioriti", "priority"], ["prioriti", "priority"])
    walk.step("prefetchd add list.csv", 0, ["list.csv"], ["list.csv"])
    walk.step("prefetchd wait list.csv", 0, ["2 lines were refused"], ["2 行无效"])
    walk.step("prefetchd status list.csv", 0, ["list.csv", "full-width sign", "https：//"], ["list.csv", "全角"])
    walk.step("prefetchd status list.csv --line 3", 0, ["full-width sign"], ["全角"])
    walk.step("prefetchd status no-such.txt", 66, ["no-such.txt"], ["no-such.txt"])


def on_call(walk):
    world = walk.world
    (world.home / "premiere.txt").write_text("#: priority = urgent\n#: deadline = 2099-01-01T00:00:00+08:00\n" + URLS)
    world.daemon()
    walk.step("prefetchd add premiere.txt", 0, ["premiere.txt"], ["premiere.txt"])
    wait("the pause", lambda: "suspended" in world.quiet("status", "--json").stdout)
    walk.step("prefetchd status", 1, ["overdue payment", "$ "], ["欠费", "$ "], fits=True)
    walk.step("prefetchd wait premiere.txt --timeout 1s", 75, ["time is up"], ["等待超时"])
    walk.step("prefetchd status premiere.txt", 0, ["premiere.txt", "overdue payment"], ["premiere.txt", "欠费"])
    walk.step("prefetchd submissions --limit 3", 0, ["account_fault"], ["account_fault"])
    walk.step("prefetchd urls --state pending --limit 2", 0, ["premiere.txt"], ["premiere.txt"])
    walk.step("prefetchd why https://vod.example.com/film/seg-001.ts", 0, ["overdue payment"], ["欠费"])


FAST = "[tasks]\nspeed = 1e6\n"
SUSPENDED = FAST + '[[fault]]\naction = "error"\ncode = "OperationDenied.Suspended"\n'
WALKS = {
    "newcomer": ("A newcomer", newcomer, FAST),
    "operator": ("An operator", operator, FAST),
    "editor": ("An editor", editor, FAST),
    "on-call": ("An engineer on call", on_call, SUSPENDED),
}



def walked(name, lang, size):
    """Goes one walk, and returns what its transcript should be called, and it."""
    title, walk_on, scenario = WALKS[name]
    world = World(program, scenario)
    walk = Walk(title, world, lang, size)
    try:
        walk_on(walk)
    finally:
        walk.terminal.close()
        world.close()
    return walk


def check_transcript(page, walk):
    """The stored transcript is of the same commands."""
    if "--write" in sys.argv:
        page.parent.mkdir(exist_ok=True)
        page.write_text(walk.transcript())
    stored = [line[6:] for line in page.read_text().splitlines() if line.startswith("    $ ")]
    wanted = [command.replace(str(walk.world.home), "/srv/films") for command in walk.commands()]
    # The terminal breaks a long command.
    short = [want for want in wanted if len(want) < 70]
    if any(want not in stored for want in short):
        sys.exit(f"{page} is of another walk: tests/walks/run --write")


ways = [(name, lang, size) for name in WALKS for lang in LANGS for size in SIZES]
with ThreadPoolExecutor(max_workers=4) as pool:
    for (name, lang, size), walk in zip(ways, pool.map(lambda way: walked(*way), ways)):
        if size == SIZES[0]:
            check_transcript(transcripts / f"{name}{'' if lang == 'en' else '.zh-CN'}.md", walk)
        print(f"{walk.title}, {lang}, {size[0]} x {size[1]}: {len(walk.steps)} steps")
