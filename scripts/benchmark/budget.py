"""Counts instructions under callgrind and compares them with the budget; started by scripts/budget.

A prompt's are those of 1,200 prompts less those of 200: start, connections and end fall out. Medians of three. Two counts are kept:
of everything, and of what runs in the program itself; where libc, libcurl or valgrind are others than when the budget was written,
only the second says something, and only it is compared.
"""
import argparse
import collections
import json
import os
import re
import statistics
import subprocess
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--work", required=True)
parser.add_argument("--write", action="store_true")
parser.add_argument("--profile", action="store_true")
options = parser.parse_args()
budget_file = os.path.join(os.path.dirname(os.path.abspath(__file__)), "budget.json")
program = os.path.join(options.work, "promptsh")
environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8"}
TOLERANCE = 1.03


def count(name: str, arguments: list[str]) -> tuple[int, int, collections.Counter]:
    """Instructions in all, within the program, and by function."""
    out = os.path.join(options.work, f"{name}.callgrind")
    command = ["valgrind", "--tool=callgrind", "--dump-line=no", f"--callgrind-out-file={out}", program, *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, timeout=300)
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


def measure() -> tuple[dict, collections.Counter]:
    server = subprocess.Popen([os.path.join(options.work, "server"), "0"], stdout=subprocess.PIPE, text=True)
    try:
        base = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        few, many = 200, 1200
        pairs = [(prompts(base, few), prompts(base, many)) for _ in range(3)]
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
    return measured, functions


def libraries() -> dict:
    """What the counts of everything depend on besides the program."""
    def first_line(*command: str) -> str:
        try:
            return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0].strip()
        except (OSError, IndexError):
            return "none"

    return {"libc": first_line("ldd", "--version"), "libcurl": first_line("curl-config", "--version"), "valgrind": first_line("valgrind", "--version")}


def demangled(names: list[str]) -> list[str]:
    done = subprocess.run(["swift", "demangle", "-simplified"], input="\n".join(names), text=True, capture_output=True)
    return done.stdout.splitlines() if done.returncode == 0 else names


measured, functions = measure()
here = libraries()
if options.profile:
    top = functions.most_common(40)
    for (_, cost), name in zip(top, demangled([name.split("'")[0] for name, _ in top])):
        print(f"{cost:10.0f}  {name[:140]}")
if options.write:
    with open(budget_file, "w") as file:
        json.dump({"libraries": here, "instructions": measured}, file, indent=2)
        file.write("\n")
    print(f"budget: written: {json.dumps(measured)}")
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
if over:
    sys.exit("budget: an instruction count rose by more than 3 %: `scripts/budget --profile` says where they go; what is worth it is taken into the budget by `scripts/budget --write`")
