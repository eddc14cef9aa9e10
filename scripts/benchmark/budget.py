"""Counts instructions under callgrind and compares them with the budget; started by scripts/budget.

A prompt's are those of 1,200 prompts less those of 200: start, connections and end fall out. Medians of three. Two counts are kept:
of everything, and of what runs in the program itself; where libc, libcurl or valgrind are others than when the budget was written,
only the second says something, and only it is compared.

A stream's memory is what the peak rises by from 200 streams to 1,000, all open at once; where the libraries are others it is not compared,
and where the system allows fewer than 1,100 open files it is left out.
"""
import argparse
import collections
import json
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import threading
import urllib.request

from demangle import demangled

parser = argparse.ArgumentParser()
parser.add_argument("--work", required=True)
parser.add_argument("--write", action="store_true")
parser.add_argument("--profile", action="store_true")
options = parser.parse_args()
budget_file = os.path.join(os.path.dirname(os.path.abspath(__file__)), "budget.json")
program = os.path.join(options.work, "promptsh")
environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8"}
TOLERANCE = 1.03
# The peak of a process is no count: it moves by a percent or two.
MEMORY_TOLERANCE = 1.1
# A run of anything that takes longer hangs.
SECONDS = 300
# For 1,000 streams, and what the program and the server hold open besides.
OPEN_FILES = 1100


def count(name: str, arguments: list[str]) -> tuple[int, int, collections.Counter]:
    """Instructions in all, within the program, and by function."""
    out = os.path.join(options.work, f"{name}.callgrind")
    command = ["valgrind", "--tool=callgrind", "--dump-line=no", f"--callgrind-out-file={out}", program, *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, timeout=SECONDS)
    if done.returncode != 0:
        sys.exit(f"budget: {name} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-800:]}")
    return parse(out)


def parse(path: str) -> tuple[int, int, collections.Counter]:
    names: dict[tuple[str, str], str] = {}
    where = what = ""
    total = own = 0
    functions: collections.Counter = collections.Counter()
    of_call = False
    with open(path, errors="replace") as file:
        for line in file:
            if match := re.match(r"(c?)(ob|fn)=\((\d+)\)(?: (.*))?$", line):
                called, kind, number, text = match.groups()
                if text:
                    names[kind, number] = text
                if not called:
                    if kind == "ob":
                        where = names[kind, number]
                    else:
                        what = names[kind, number]
            elif line.startswith("calls="):
                of_call = True
            elif line[:1].isdigit() or line[:1] in "+-*":
                # After `calls=` stands what the called function cost, which is counted where it runs.
                if of_call:
                    of_call = False
                    continue
                cost = int(line.split()[1])
                total += cost
                functions[what] += cost
                if where == program:
                    own += cost
    return total, own, functions


def prompts(base: str, number: int) -> tuple[int, int, collections.Counter]:
    script = (f'use {base}\nset concurrency 64\nlet r = map 1..{number} "fact {{it}}" --model openai/m --retries 0\n'
              "if len(failed(r)) > 0 { exit 9 }")
    return count(f"prompts-{number}", ["-e", script])


def peak(base: str, streams: int) -> int:
    """Peak memory in bytes with so many streams open at once, of 20 chunks each."""
    most = 0
    # On a busy machine the first have ended before the last begin: they are given longer.
    for gap in (50, 200, 800):
        open_at_once(base)
        memory = run_streams(base, streams, gap)
        most = open_at_once(base)
        if most == streams:
            return memory
    sys.exit(f"budget: of {streams} streams {most} were open at once: their memory is not what was to be measured")


def run_streams(base: str, streams: int, gap: int) -> int:
    """Peak memory in bytes of a run whose streams bring a chunk every `gap` ms."""
    script = (f'use {base}/paced/20/{gap}/v1\nset concurrency {streams}\nlet r = map 1..{streams} "x {{it}}" --model openai/m --retries 0\n'
              "if len(failed(r)) > 0 { exit 9 }")
    # Started with the simulator as its model it would keep half of the open files for the other ends (Sources/Shell/Machine.swift).
    process = subprocess.Popen([program, "-m", "openai/m", "-e", script], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    # Only `wait4` tells the memory, and it has no time limit of its own.
    limit = threading.Timer(SECONDS, os.kill, (process.pid, signal.SIGKILL))
    limit.start()
    try:
        said = process.stderr.read().decode(errors="replace")
        _, status, usage = os.wait4(process.pid, 0)
    finally:
        limit.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"budget: {streams} streams ended with {process.returncode} ({SECONDS} seconds are allowed): {said[-800:]}")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def open_at_once(base: str) -> int:
    """Streams that were open at once, at most, since this was last asked."""
    # Whatever proxy the environment names.
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{base}/most", timeout=30) as reply:
        return int(reply.read())


def stream_memory() -> int | None:
    """Bytes that a stream takes; nothing where the system does not allow as many open files as it needs."""
    _, hard = before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < OPEN_FILES:
        print(f"budget: LEFT OUT, a stream's memory: {hard} open files are allowed (`ulimit -Hn`), {OPEN_FILES} are needed")
        return None
    # The program and the server have it from here. Counts keep the limit that the user has.
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES if hard == resource.RLIM_INFINITY else hard, hard))
    server, base = serve()
    try:
        return round(statistics.median((peak(base, 1000) - peak(base, 200)) / 800 for _ in range(3)))
    finally:
        server.kill()
        server.wait()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def serve() -> tuple[subprocess.Popen, str]:
    server = subprocess.Popen([os.path.join(options.work, "server"), "0"], stdout=subprocess.PIPE, text=True)
    return server, f"http://127.0.0.1:{server.stdout.readline().strip()}"


def measure() -> tuple[dict, int | None, collections.Counter]:
    stream = stream_memory()
    server, base = serve()
    try:
        few, many = 200, 1200
        pairs = [(prompts(f"{base}/v1", few), prompts(f"{base}/v1", many)) for _ in range(3)]
    finally:
        server.kill()
        server.wait()
    each = many - few
    starts = [count("start", ["-e", "print 1"]) for _ in range(3)]
    measured = {
        "a prompt at 64": {
            "all": round(statistics.median((b[0] - a[0]) / each for a, b in pairs)),
            "own": round(statistics.median((b[1] - a[1]) / each for a, b in pairs)),
        },
        "start": {"all": round(statistics.median(s[0] for s in starts)), "own": round(statistics.median(s[1] for s in starts))},
    }
    functions = collections.Counter({name: (cost - pairs[0][0][2][name]) / each for name, cost in pairs[0][1][2].items()})
    return measured, stream, functions


def libraries() -> dict:
    """What the counts of everything depend on besides the program."""
    def first_line(*command: str) -> str:
        try:
            return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0].strip()
        except (OSError, IndexError):
            return "none"

    return {"libc": first_line("ldd", "--version"), "libcurl": first_line("curl-config", "--version"), "valgrind": first_line("valgrind", "--version")}


measured, stream, functions = measure()
here = libraries()
if options.profile:
    top = functions.most_common(40)
    for (_, cost), name in zip(top, demangled([name.split("'")[0] for name, _ in top])):
        print(f"{cost:10.0f}  {name[:140]}")
if options.write:
    if stream is None:
        sys.exit("budget: not written: it would lack a stream's memory")
    with open(budget_file, "w") as file:
        json.dump({"libraries": here, "instructions": measured, "bytes a stream": stream}, file, indent=2)
        file.write("\n")
    print(f"budget: written: {json.dumps(measured)}, {stream:,} bytes a stream")
    sys.exit(0)
with open(budget_file) as file:
    budget = json.load(file)
kinds = ["all", "own"] if budget["libraries"] == here else ["own"]
if len(kinds) == 1:
    print(f"budget: other libraries than the budget's ({here} instead of {budget['libraries']}): only the program's own instructions are compared")
over = False
for what, allowed in budget["instructions"].items():
    for kind in kinds:
        now, before = measured[what][kind], allowed[kind]
        verdict = "OVER THE BUDGET" if now > before * TOLERANCE else "less: scripts/budget --write keeps the gain" if now < before / TOLERANCE else "as it may be"
        over = over or now > before * TOLERANCE
        print(f"budget: {what}, {'in all' if kind == 'all' else 'the program alone'}: {now:,} instructions, budget {before:,} ({(now / before - 1) * 100:+.1f} %): {verdict}")
allowed = budget["bytes a stream"]
if len(kinds) == 2 and stream is not None:
    verdict = "OVER THE BUDGET" if stream > allowed * MEMORY_TOLERANCE else "as it may be"
    print(f"budget: a stream: {stream:,} bytes, budget {allowed:,} ({(stream / allowed - 1) * 100:+.1f} %): {verdict}")
    if stream > allowed * MEMORY_TOLERANCE:
        sys.exit("budget: a stream takes over 10 % more memory: `scripts/budget --frames` lists the largest frames; what is worth it is taken into the budget by `scripts/budget --write`")
if over:
    sys.exit("budget: an instruction count rose by more than 3 %: `scripts/budget --profile` says where they go; what is worth it is taken into the budget by `scripts/budget --write`")
