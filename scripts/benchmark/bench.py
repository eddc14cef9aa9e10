"""Runs the benchmarks and prints their tables; started by scripts/bench, which builds and installs what it needs.

Every figure is the median of --runs runs, the programs interleaved. The client is pinned to core 0, the server to core 1.
"""
import argparse
import fcntl
import json
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
import urllib.request

parser = argparse.ArgumentParser()
parser.add_argument("--program", required=True)
parser.add_argument("--work", required=True, help="folder with the C programs and the venv")
parser.add_argument("--runs", type=int, default=5)
parser.add_argument("--quick", action="store_true", help="a tenth of the work, for trying the benchmark itself")
parser.add_argument("--only", default="map,streams,width,order,start,memory,keys,ends,raise,limits,storm")
options = parser.parse_args()
here = os.path.dirname(os.path.abspath(__file__))
python = os.path.join(options.work, "venv/bin/python")
scale = 10 if options.quick else 1
environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI")}


def serve() -> tuple[subprocess.Popen, str]:
    process = subprocess.Popen(["taskset", "-c", "1", os.path.join(options.work, "server"), "0"], stdout=subprocess.PIPE, text=True)
    return process, f"http://127.0.0.1:{process.stdout.readline().strip()}"


def server_cpu(base: str) -> float:
    return float(urllib.request.urlopen(base + "/cpu").read())


def run(command: list[str], text: str | None = None, pinned: bool = True) -> tuple[float, float, int, str]:
    """Seconds, CPU seconds, peak KB and standard output of a whole process."""
    command = (["taskset", "-c", "0"] if pinned else []) + command
    with tempfile.TemporaryFile("w+") as out:
        start = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.PIPE, text=True, env=environment)
        if text:
            process.stdin.write(text)
        process.stdin.close()
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        out.seek(0)
        if status != 0:
            sys.exit(f"bench: {command} ended with {status}: {errors[-500:]}")
        return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, out.read()


def psh(script: str, pinned: bool = True):
    return run([options.program, "-e", script], pinned=pinned)


def medians(samples: list[tuple]) -> tuple:
    return tuple(statistics.median(column) for column in zip(*samples))


def table(title: str, header: list[str], rows: list[list]) -> None:
    print(f"\n### {title}\n\n| " + " | ".join(header) + " |\n|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    sys.stdout.flush()


def bench_map() -> None:
    rows = []
    for width in (1, 8, 64, 512):
        count = 20000 // scale
        slow = max(width, min(count, 2000) // (4 if width > 64 else 1))
        process, base = serve()
        url = base + "/v1"
        clients = {
            "promptsh": lambda n: psh(f"use {url}\nset concurrency {width}\nlet r = map 1..{n} \"fact {{it}}\" --model openai/m --retries 0\nif len(failed(r)) > 0 {{ exit 9 }}"),
            "C, libcurl multi": lambda n: run([os.path.join(options.work, "client"), url + "/chat/completions", str(width), str(n), "stream"]),
            "C with CURLOPT_CURLU": lambda n: run([os.path.join(options.work, "client"), url + "/chat/completions", str(width), str(n), "stream", "parsed"]),
            "aiohttp": lambda n: run([python, os.path.join(here, "aio.py"), url, str(width), str(n)]),
            "openai-python": lambda n: run([python, os.path.join(here, "tutorial.py"), url, str(width), str(n)]),
        }
        counts = {"promptsh": count, "C, libcurl multi": count, "C with CURLOPT_CURLU": count, "aiohttp": count // 4, "openai-python": slow}
        # What a process costs before its first prompt is taken off the slow starters; ours and C's stay whole.
        base_cost = {"aiohttp": None, "openai-python": None}
        for name in base_cost:
            base_cost[name] = clients[name](1)[1]
        samples: dict[str, list] = {name: [] for name in clients}
        for _ in range(options.runs):
            for name, client in clients.items():
                runs = options.runs if name in ("promptsh", "C, libcurl multi", "C with CURLOPT_CURLU") else min(options.runs, 3)
                if len(samples[name]) >= runs:
                    continue
                before = server_cpu(base)
                seconds, cpu, rss, out = client(counts[name])
                share = (server_cpu(base) - before) / seconds
                cpu -= base_cost.get(name) or 0
                if name != "promptsh":
                    seconds = float(out.split()[0])
                samples[name].append((cpu / counts[name] * 1e6, counts[name] / seconds, rss / 1024, share * 100))
        process.kill()
        middle = {name: medians(values) for name, values in samples.items()}
        yardstick = middle["C, libcurl multi"][0]
        for name, (cpu, rate, rss, share) in middle.items():
            rows.append([width, name, f"{cpu:.1f}", f"{cpu / yardstick:.2f}", f"{rate:,.0f}", f"{rss:.0f}", f"{share:.0f} %", len(samples[name])])
    table(
        "`map` of short prompts, each answered by a stream of 12 events",
        ["width", "client", "CPU µs/prompt", "× C", "prompts/s", "peak MB", "server's CPU", "runs"], rows)
    process, base = serve()
    rate = subprocess.run(["taskset", "-c", "0", "wrk", "-t1", "-c64", "-d3", "-s", os.path.join(here, "post.lua"), base + "/v1/chat/completions"], capture_output=True, text=True).stdout
    process.kill()
    line = next((l for l in rate.splitlines() if "Requests/sec" in l), "wrk is not installed")
    print(f"\nThe wire's limit here (wrk, 64 connections, answers not read): {line.strip()}")


def lateness(url: str, streams: int) -> list[float]:
    """Milliseconds from the server's sending a token to its coming out of promptsh, for one stream shown while the others run behind it."""
    script = f"use {url}\nset concurrency {streams}\nlet r = map 2..{streams} \"x {{it}}\" --model openai/m --retries 0 &\nstream \"y\" --model openai/m\nlet all = gather r"
    process = subprocess.Popen(["taskset", "-c", "0", options.program, "-e", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    late, rest, digits = [], b"", 0
    while piece := os.read(process.stdout.fileno(), 65536):
        now = time.clock_gettime(time.CLOCK_MONOTONIC)
        words = (rest + piece).split(b" ")
        # Every stamp has as many digits as the first; a shorter one at the end is still coming.
        digits = digits or len(words[1]) if len(words) > 1 else digits
        rest = words.pop() if words and len(words[-1].strip()) < digits else b""
        complete = words
        late += [(now - int(word) / 1e6) * 1000 for word in complete if len(word.strip()) == digits and word.strip().isdigit()]
    process.wait()
    return late


def bench_streams() -> None:
    # As many chunks a second as the machine can take: 50,000 and 25,000.
    paced(1000 // scale, 200, 20)
    paced(5000 // scale, 40, 200)


def paced(streams: int, chunks: int, gap: int) -> None:
    rows = []
    process, base = serve()
    url = f"{base}/paced/{chunks}/{gap}/v1"
    samples: dict[str, list] = {"promptsh": [], "C, libcurl multi (poll)": []}
    lost = 0
    for _ in range(options.runs):
        seconds, cpu, rss, out = psh(
            f'use {url}\nset concurrency {streams}\nlet r = map 1..{streams} "x {{it}}" --model openai/m --retries 0\nprint len(failed(r)) (r | where tokens == 200 | count)')
        words = out.split()
        lost += int(words[0]) + streams - int(words[1])
        samples["promptsh"].append((cpu / (streams * chunks) * 1e6, seconds, rss / 1024))
        seconds, cpu, rss, out = run([os.path.join(options.work, "client"), url + "/chat/completions", str(streams), str(streams), "stream"])
        samples["C, libcurl multi (poll)"].append((cpu / (streams * chunks) * 1e6, seconds, rss / 1024))
    each = [lateness(url, streams) for _ in range(options.runs)]
    late = [ms for one in each for ms in one]
    first = statistics.median(max(one[:10]) for one in each)
    process.kill()
    ideal = chunks * gap / 1000
    c = medians(samples["C, libcurl multi (poll)"])[0]
    for name, values in samples.items():
        cpu, seconds, rss = medians(values)
        rows.append([name, f"{cpu:.1f}", f"{cpu / c:.2f}", f"{seconds:.2f} s (ideal {ideal:.2f})", f"{rss:.0f}", lost if name == "promptsh" else 0])
    table(f"{streams} streams at once, {chunks} chunks each, {gap} ms apart", ["client", "CPU µs/chunk", "× C", "whole run", "peak MB", "rows failed"], rows)
    late.sort()
    print(f"\nLateness of a token of one stream that is shown while the other {streams - 1} run behind it, from the server's send to promptsh's standard output: "
          f"p50 {late[len(late) // 2]:.2f} ms, p99 {late[len(late) * 99 // 100]:.1f} ms ({len(late)} tokens); "
          f"of the first ten, while the connections open, the latest {first:.1f} ms (median of {options.runs} runs)")


def bench_width() -> None:
    process, base = serve()
    url = base + "/delay/50/v1"
    rows = []
    for width in (1, 5, 50):
        times = []
        for _ in range(options.runs):
            out = psh(f"use {url}\nset concurrency {width}\nlet start = now()\nlet r = map 1..200 \"x {{it}}\" --model openai/m --streaming off\nprint seconds(now() - start) len(failed(r))")[3].split()
            if out[1] != "0":
                sys.exit("bench: rows failed")
            times.append(float(out[0]))
        ideal = -(-200 // width) * 0.05
        rows.append([width, f"{statistics.median(times):.3f}", f"{ideal:.3f}", f"{(statistics.median(times) / ideal - 1) * 100:+.1f} %"])
    process.kill()
    table("200 prompts of 50 ms", ["width", "seconds", "ideal", "over"], rows)


def bench_order() -> None:
    """Rows in order into a file against rows into a variable, where one answer in a hundred is twenty times slower."""
    process, base = serve()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for width in (8, 64, 256, 1024):
            # About the same time each: three seconds and more.
            delay, count = {8: (5, 4000), 64: (25, 8000), 256: (50, 16_000), 1024: (200, 16_000)}[width]
            url = f"{base}/tail/{delay}/v1"
            seconds: dict[str, list[float]] = {"variable": [], "file": []}
            for _ in range(options.runs):
                for name, end in (("variable", ""), ("file", f' | save "{folder}/out.jsonl"')):
                    line = f'map 1..{count // scale} "x {{it}}" --model openai/m --streaming off{end}'
                    line = line if end else f"let r = {line}"
                    out = psh(f"use {url}\nset concurrency {width}\nlet start = now()\n{line}\nprint seconds(now() - start)", pinned=False)[3]
                    seconds[name].append(float(out.split()[-1]))
            variable, file = (statistics.median(seconds[name]) for name in ("variable", "file"))
            rows.append([width, f"{count // scale:,}", f"{variable:.2f}", f"{file:.2f}", f"{file / variable:.3f}"])
        urllib.request.urlopen(base + "/most").read()
        psh(f'use {base}/tail/1000/v1\nset concurrency 5000\nmap 1..20000 "x {{it}}" --model openai/m --streaming off | save "{folder}/out.jsonl"', pinned=False)
        most = int(urllib.request.urlopen(base + "/most").read())
    process.kill()
    table("In order into a file against into a variable, 1 % of the answers 20 times slower", ["width", "rows", "variable s", "file s", "×"], rows)
    print(f"\nCalls at once at `set concurrency 5000`, 20,000 rows into a file: {most:,}")


def bench_start() -> None:
    rows = []
    for name, command in {"promptsh -e 'print 1'": [options.program, "-e", "print 1"], "python3 -c pass": ["python3", "-c", "pass"], "/bin/true": ["/bin/true"]}.items():
        run(command)
        times = [run(command) for _ in range(max(options.runs, 20))]
        rows.append([name, f"{statistics.median(t[0] for t in times) * 1000:.1f}", f"{statistics.median(t[1] for t in times) * 1000:.1f}", f"{statistics.median(t[2] for t in times) / 1024:.0f}"])
    table("Start, the whole process", ["command", "ms", "CPU ms", "peak MB"], rows)


def bench_memory() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for count in (10_000 // scale, 100_000 // scale, 1_000_000 // scale):
            source = os.path.join(folder, "in.txt")
            with open(source, "w") as file:
                file.writelines(f"number {i}\n" for i in range(count))
            seconds, _, rss, _ = psh(
                f'set concurrency 64\nload "{source}" | map "fact {{it}}" --model sim/fast | save "{folder}/out.jsonl"', pinned=False)
            with open(f"{folder}/out.jsonl") as file:
                lines = sum(1 for _ in file)
            rows.append([f"{count:,}", f"{lines:,}", f"{seconds:.1f}", f"{rss / 1024:.0f}"])
    table("From a file to a file at `sim/fast` (server in the same process)", ["prompts", "rows written", "seconds", "peak MB"], rows)


def key_latencies(url: str | None, streams: int) -> list[float]:
    """Milliseconds from a key's being sent to a pseudo-terminal to its standing on the screen, while `streams` streams arrive."""
    with tempfile.TemporaryDirectory() as home:
        pid, terminal = pty.fork()
        if pid == 0:
            os.execvpe("taskset", ["taskset", "-c", "0", options.program], {**environment, "HOME": home, "TERM": "xterm-256color", "LANG": "C.UTF-8"})
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))

        def until(mark: bytes) -> float:
            seen = b""
            while mark not in seen:
                if not select.select([terminal], [], [], 20)[0]:
                    sys.exit(f"bench: {mark!r} never came: {seen[-300:]!r}")
                seen += os.read(terminal, 65536)
            return time.monotonic()

        until(b"> ")
        if url:
            for line, mark in ((f"use {url}", b"> "), (f"set concurrency {streams}", f"{streams}> ".encode()),
                               (f'let r = map 1..{streams * 100} "x {{it}}" --model openai/m --retries 0 &', b"[1] r")):
                os.write(terminal, line.encode() + b"\r")
                until(mark)
            time.sleep(3)  # all streams are under way
        late = []
        for _ in range(20):
            text = b"# "
            os.write(terminal, text)
            until(b"# ")
            for index in range(40):
                letter = bytes([97 + (index * 7) % 26])
                text += letter
                start = time.monotonic()
                os.write(terminal, letter)
                late.append((until(text[-12:]) - start) * 1000)
                time.sleep(0.02)  # a fast typist's pace, and not in step with the streams
            os.write(terminal, b"\x15")
            until(b"> ")
        os.kill(pid, signal.SIGTERM)
        os.close(terminal)
        os.waitpid(pid, 0)
        return sorted(late)


def bench_keys() -> None:
    streams = 1000 // scale
    rows = []
    process, base = serve()
    for name, url in (("nothing", None), (f"{streams} streams of 50 tokens/s", f"{base}/paced/200/20/v1")):
        late = key_latencies(url, streams)
        rows.append([name, f"{late[len(late) // 2]:.2f}", f"{late[len(late) * 99 // 100]:.2f}", f"{late[-1]:.2f}", len(late)])
    process.kill()
    table("From a key to the screen, in a pseudo-terminal, promptsh on one core", ["what runs behind", "p50 ms", "p99 ms", "most", "keys"], rows)


def bench_raise() -> None:
    """At the prompt, while a job runs behind it: from Enter on `set concurrency N` to N streams at the server."""
    server = subprocess.Popen([options.program, "simulate", "--port", "0", "--seconds", "120"], stdout=subprocess.PIPE, text=True)
    base = server.stdout.readline().split(" at ")[1].strip()
    live = lambda: json.load(urllib.request.urlopen(base.removesuffix("/v1") + "/stats"))["live"]
    rows = []
    with tempfile.TemporaryDirectory() as home:
        pid, terminal = pty.fork()
        if pid == 0:
            os.execvpe(options.program, [options.program], {**environment, "HOME": home, "TERM": "xterm-256color", "LANG": "C.UTF-8"})

        def enter(line: str) -> float:
            os.write(terminal, line.encode())
            time.sleep(0.3)
            while select.select([terminal], [], [], 0)[0]:
                os.read(terminal, 65536)
            os.write(terminal, b"\r")
            return time.monotonic()

        time.sleep(0.3)
        for line in (f"use {base}", "set concurrency 5", 'let r = map 1..100000 "x {it}" --model openai/story &'):
            enter(line)
        for width in (64, 200):
            times = []
            for _ in range(options.runs):
                while live() != 5:
                    time.sleep(0.02)
                start = enter(f"set concurrency {width}")
                # Two may be between the end of one call and the start of the next.
                while live() < width - 2:
                    pass
                times.append((time.monotonic() - start) * 1000)
                enter("set concurrency 5")
            rows.append([f"5 → {width}", f"{statistics.median(times):.0f}", f"{max(times):.0f}"])
        os.kill(pid, signal.SIGTERM)
        os.close(terminal)
        os.waitpid(pid, 0)
    server.terminate()
    server.wait()
    table("From Enter on `set concurrency N` to that many streams at the server", ["limit", "median ms", "most"], rows)


def bench_ends() -> None:
    rows = []
    streams = 200 // scale
    for name, signals in (("SIGTERM", [signal.SIGTERM]), ("SIGHUP", [signal.SIGHUP]), ("^C twice", [signal.SIGINT, signal.SIGINT])):
        times = []
        for _ in range(options.runs):
            server = subprocess.Popen([options.program, "simulate", "--port", "0", "--seconds", "60"], stdout=subprocess.PIPE, text=True)
            base = server.stdout.readline().split(" at ")[1].strip()
            live = lambda: json.load(urllib.request.urlopen(base.removesuffix("/v1") + "/stats"))["live"]
            script = f'use {base}\nset concurrency {streams}\nlet r = map 1..100000 "x {{it}}" --model openai/story'
            process = subprocess.Popen([options.program, "-e", script], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
            while live() < streams:
                time.sleep(0.01)
            start = time.monotonic()
            for number in signals:
                process.send_signal(number)
                if len(signals) > 1:
                    time.sleep(0.02)
            while live() > 0:
                pass
            times.append((time.monotonic() - start) * 1000)
            process.wait()
            server.terminate()
            server.wait()
        rows.append([name, f"{statistics.median(times):.0f}", f"{max(times):.0f}"])
    table(f"From a signal to the last of {streams} streams being closed, by the server's log", ["signal", "median ms", "most"], rows)


def bench_limits() -> None:
    """All clients at once, each against a server of its own: it is waiting that is measured, not work."""
    count, rpm, width = 2000 // scale, 500, 64
    def script(url: str, concurrency: object) -> str:
        return (f'use {url}\nset concurrency {concurrency}\nlet r = map 1..{count} "fact {{it}}" --model openai/story --max-tokens 30\n'
                "print len(r) - len(failed(r))\n")

    clients = {
        "promptsh, `concurrency auto`": lambda url: ([options.program, "-e", script(url, "auto")]),
        f"promptsh, `concurrency {width}`": lambda url: ([options.program, "-e", script(url, width)]),
        f"openai-python, Semaphore({width}), its own retries": lambda url: ([python, os.path.join(here, "limited.py"), url, str(width), str(count)]),
    }
    running = {}
    for name, command in clients.items():
        server = subprocess.Popen([options.program, "simulate", "--port", "0", "--rpm", str(rpm), "--bursts", "--seconds", "1200"], stdout=subprocess.PIPE, text=True)
        base = server.stdout.readline().split(" at ")[1].strip()
        process = subprocess.Popen(command(base), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
        running[name] = (server, base, process, time.monotonic())
    done = {}
    while len(done) < len(running):
        for name, (_, _, process, start) in running.items():
            if name not in done and process.poll() is not None:
                done[name] = time.monotonic() - start
        time.sleep(0.02)
    rows = []
    ideal = (count - 10) / rpm * 60
    for name, (server, base, process, _) in running.items():
        answered = int(process.stdout.read().split()[-1])
        sent = json.load(urllib.request.urlopen(base.removesuffix("/v1") + "/stats"))["requests"]
        server.terminate()
        server.wait()
        rows.append([name, f"{answered} of {count}", sent, f"{sent / max(1, answered):.3f}", f"{done[name]:.0f}", f"{done[name] / ideal:.3f}"])
    table(f"{count} prompts against {rpm} requests a minute and bursts of 429 and 529 (ideal {ideal:.0f} s)",
          ["client", "rows answered", "requests sent", "sent per row answered", "seconds", "× ideal"], rows)


def bench_storm() -> None:
    """A bucket of 200 a second that always asks for 300 ms, and a window of 50 in each second."""
    process, base = serve()
    rows = []
    for name, path, count, ideal in (("bucket, 200 a second", "bucket/200/20/300", 1500, 7.4), ("window, 50 in each second", "window/50/1000", 500, 9.0)):
        for width in (1, 8, 64, 256, "auto"):
            samples = []
            for _ in range(options.runs):
                urllib.request.urlopen(base + "/refused").read()
                # A window begins with the run.
                time.sleep(1 - time.monotonic() % 1)
                out = psh(f'use {base}/{path}/v1\nset concurrency {width}\nlet start = now()\nlet r = map 1..{count} "x {{it}}" --model openai/m --streaming off\n'
                          "print seconds(now() - start) len(failed(r))", pinned=False)[3].split()
                refused = int(urllib.request.urlopen(base + "/refused").read())
                first = 8 if width == "auto" else width
                samples.append((float(out[-2]), int(out[-1]), max(0, refused - first) / count))
            seconds, failed, refused = medians(samples)
            rows.append([name, width, f"{seconds:.1f} s", f"{seconds / ideal:.2f}", f"{failed:.0f}", f"{refused:.3f}"])
    process.kill()
    table("A storm (200 rows a second at best; 50)", ["server", "width", "time", "× ideal", "rows failed", "refused a row besides the first burst"], rows)



print(f"{os.cpu_count()} cores; client on core 0, server on core 1; medians of {options.runs} runs, programs interleaved")
for name in options.only.split(","):
    {"map": bench_map, "streams": bench_streams, "width": bench_width, "order": bench_order, "start": bench_start, "memory": bench_memory, "keys": bench_keys, "ends": bench_ends, "raise": bench_raise, "limits": bench_limits, "storm": bench_storm}[name]()
