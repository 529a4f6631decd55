"""Checks what prefetchd prints and writes against its JSON Schemas. Usage: schemas.py SCHEMAS DIR"""

import json
import pathlib
import subprocess
import sys
import time

from jsonschema import Draft202012Validator

schemas, home = map(pathlib.Path, sys.argv[1:])
checked = set()


def prefetchd(*args):
    return subprocess.run(["prefetchd", *args], capture_output=True, text=True, check=False)


def check(name, value):
    schema = json.loads((schemas / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    # Others may be added, but what is there now is described.
    known = set(schema.get("properties", ())) | set(schema.get("items", {}).get("properties", ()))
    errors = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(value)]
    first = value[0] if isinstance(value, list) and value else value
    if known and isinstance(first, dict):
        errors += [f"{key} is not described" for key in first if key not in known]
    if errors:
        sys.exit(f"{name}: " + "\n".join(errors))
    checked.add(name)


def printed(name, *args):
    done = prefetchd(*args, "--json")
    if done.returncode not in (0, 1):
        sys.exit(f"{args}: {done.returncode}: {done.stderr}")
    check(name, json.loads(done.stdout))


url = "https://vod.example.com/film/index.m3u8"
lines = f"#: label = again\n{url}\nno url\nhttps://vod.example.com/b.ts\nhttps://vod.example.com/ b.ts\n"
subprocess.run(["prefetchd", "add", "-", "--name", "again.txt"], input=lines, text=True, check=True, capture_output=True)
printed("wait", "wait", "again.txt", "--timeout", "2m")
for name in ("files", "urls", "submissions", "hosts", "status", "forecast"):
    printed(name, name)
printed("file", "status", "again.txt")
printed("why", "why", url)
for _ in range(300):
    receipts = sorted((home / "spool" / "done").glob("*.receipt.json"))
    if len(receipts) == 2 and (home / "events").exists():
        break
    time.sleep(0.1)
for path in receipts:
    check("receipt", json.loads(path.read_text()))
for line in (home / "events").read_text().splitlines():
    check("event", json.loads(line))
prefetchd("pause")
lines = "\n".join(f"https://vod.example.com/late/{n}.ts" for n in range(5))
subprocess.run(["prefetchd", "add", "-", "--name", "late.txt"], input=lines, text=True, check=True, capture_output=True)
for _ in range(300):
    if prefetchd("cancel", "--file", "late.txt", "--dry-run").returncode == 0:
        break
    time.sleep(0.1)
printed("order", "cancel", "--file", "late.txt")
printed("status", "status")
print("\n".join(sorted(checked)))
