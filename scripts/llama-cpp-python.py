"""Serves a model by llama_cpp.server on a socket that is bound here: a port that is looked for first may be somebody else's by then."""

import argparse
import socket
import threading

import uvicorn
from llama_cpp.server.app import create_app
from llama_cpp.server.settings import ModelSettings, ServerSettings

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--seconds", type=float, default=0)
parser.add_argument("--model", required=True)
arguments = parser.parse_args()

listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", arguments.port))
model = ModelSettings(model=arguments.model, model_alias="smollm2-135m", n_ctx=2048, verbose=False)
app = create_app(server_settings=ServerSettings(), model_settings=[model])


class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print(f"smollm2-135m at http://127.0.0.1:{listener.getsockname()[1]}/v1", flush=True)


server = Server(uvicorn.Config(app, log_level="warning"))
if arguments.seconds > 0:
    timer = threading.Timer(arguments.seconds, setattr, (server, "should_exit", True))
    timer.daemon = True
    timer.start()
server.run(sockets=[listener])
