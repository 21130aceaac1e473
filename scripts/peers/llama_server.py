"""llama.cpp's own HTTP server (through xllamacpp) for a GGUF file, until it is killed.

  python scripts/peers/llama_server.py MODEL.gguf [KEY]        -> prints "listening on http://127.0.0.1:PORT"

KEY: what callers must send. One thread: on a machine with other work, two wait for each other.
"""
import signal
import sys

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.api_keys = sys.argv[2:]
params.n_ctx = 2048
params.n_parallel = 2
params.port = 0
params.cpuparams.n_threads = 1
params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
print("listening on", server.listening_address, flush=True)
signal.pause()
