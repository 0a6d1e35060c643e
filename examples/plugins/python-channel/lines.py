#!/usr/bin/env python3
"""A channel in Python: people talk to the assistant by files. What is put into `<folder>/in/` as `<who>.<number>.txt` is said by `<who>`;
answers are appended to `<folder>/out/<who>.txt`.

It needs grpcio and protobuf (Debian: python3-grpcio, python3-protobuf) and lines.pb, which `gatehouse plugins compile lines.proto` makes.
`gatehouse up` starts it and tells it the rest by its environment. What a platform of yours needs is in `Folder`; the rest stays.
"""

import hashlib
import json
import os
import pathlib
import queue
import signal
import threading
import time
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

DESCRIPTORS = pathlib.Path(__file__).with_name("lines.pb").read_bytes()
LOOK_EVERY = 0.1  # seconds
ACCOUNT_SCHEMA = {
    "type": "object",
    "properties": {"folder": {"type": "string", "description": "Where people put their words."}},
    "required": ["folder"],
    "additionalProperties": False,
}


def classes():
    """The messages of lines.pb as classes."""
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS).file:  # each stands behind what it imports
        pool.AddSerializedFile(file.SerializeToString())

    def find(name):
        descriptor = pool.FindMessageTypeByName(name)
        if hasattr(message_factory, "GetMessageClass"):
            return message_factory.GetMessageClass(descriptor)
        return message_factory.MessageFactory(pool).GetPrototype(descriptor)  # protobuf before 4.22

    return find


message = classes()
ConfigureRequest = message("gatehouse.plugin.v1.ConfigureRequest")
ConfigureResponse = message("gatehouse.plugin.v1.ConfigureResponse")
DescribeRequest = message("gatehouse.plugin.v1.DescribeRequest")
DescribeResponse = message("gatehouse.plugin.v1.DescribeResponse")
DescribeChannelRequest = message("gatehouse.channel.v1.DescribeChannelRequest")
DescribeChannelResponse = message("gatehouse.channel.v1.DescribeChannelResponse")
RunAccountRequest = message("gatehouse.channel.v1.RunAccountRequest")
RunAccountResponse = message("gatehouse.channel.v1.RunAccountResponse")


class Folder:
    """One account: the platform, as far as it is one."""

    def __init__(self, folder):
        self.incoming, self.outgoing = folder / "in", folder / "out"
        self.incoming.mkdir(parents=True, exist_ok=True)
        self.outgoing.mkdir(parents=True, exist_ok=True)

    def waiting(self):
        """What was put there and not taken yet, the oldest first."""
        return sorted(self.incoming.glob("*.txt"), key=lambda file: (file.stat().st_mtime_ns, file.name))

    def say(self, to, key, text):
        """Appends an answer, unless it is there already: the same part has the same key however often it is sent."""
        if "/" in to or to.startswith("."):
            return False
        with open(self.outgoing / f"{to}.txt", "a+", encoding="utf-8") as file:
            file.seek(0)
            if any(json.loads(line)["key"] == key for line in file):
                return True
            file.write(json.dumps({"key": key, "text": text}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return True


class Account:
    """One stream: what the gateway says comes in as `requests`, what is put into `answers` goes out."""

    def __init__(self, requests):
        self.requests, self.answers = requests, queue.Queue(maxsize=100)
        self.seq, self.files, self.stopped = 0, {}, threading.Event()
        self.lock = threading.Lock()  # around `files`: what was said and is not acknowledged, by its number

    def tell(self, **said):
        self.answers.put(RunAccountResponse(**said))

    def listen(self):
        """Does what it is told, until the stream ends."""
        folder = None
        try:
            for request in self.requests:
                kind = request.WhichOneof("message")
                if kind == "start":
                    folder = Folder(pathlib.Path(json.loads(request.start.config)["folder"]))
                    self.tell(connected={})
                    threading.Thread(target=self.watch, args=(folder,), daemon=True).start()
                elif kind == "send":
                    part = request.send
                    if folder.say(part.to, part.key, part.text):
                        self.tell(part={"id": part.id, "sent": {}})
                    else:
                        self.tell(part={"id": part.id, "failed": "nobody can have this name"})
                elif kind == "committed":  # on the disk of the gateway: only now may the file go
                    self.done(request.committed.seq)
                elif kind == "refused":
                    print(f"not taken: {request.refused.reason}", flush=True)
                    self.done(request.refused.seq, keep=request.refused.again)
                elif kind == "probe":
                    self.tell(heard={})
                elif kind == "stop":
                    return
        except grpc.RpcError:
            pass  # the gateway hung up
        finally:
            self.stopped.set()
            self.answers.put(None)

    def done(self, seq, keep=False):
        with self.lock:
            file = self.files.pop(seq)
            if not keep:
                file.unlink(missing_ok=True)

    def watch(self, folder):
        """Says what people put there. What is not acknowledged is said again under the same id: the gateway knows it."""
        while not self.stopped.is_set():
            with self.lock:
                waiting = [file for file in folder.waiting() if file not in self.files.values()]
                waiting = waiting[: 50 - len(self.files)]  # the gateway reads no further than 64
                numbered = {self.seq + place: file for place, file in enumerate(waiting, 1)}
                texts = {seq: file.read_text(encoding="utf-8").strip() for seq, file in numbered.items()}
                self.files.update(numbered)
                self.seq += len(waiting)
            for seq, file in numbered.items():
                chat = {"kind": "CHAT_KIND_DIRECT", "id": file.name.split(".")[0]}
                self.tell(inbound={"seq": seq, "message_id": file.name, "chat": chat, "text": texts[seq]})
            time.sleep(LOOK_EVERY)

    def run(self):
        threading.Thread(target=self.listen, daemon=True).start()
        while (answer := self.answers.get()) is not None:
            yield answer


class Lines:
    """What the plugin offers."""

    def describe(self, _request, _context):
        return DescribeResponse(title="Lines", version="1.0", file_descriptor_set=DESCRIPTORS)

    def configure(self, _request, _context):
        return ConfigureResponse()

    def describe_channel(self, request, context):
        if request.channel != "lines":
            context.abort(grpc.StatusCode.NOT_FOUND, "this plugin brings `lines`")
        return DescribeChannelResponse(
            label="Lines in files",
            account_schema=json.dumps(ACCOUNT_SCHEMA),
            capabilities={"text": {"max": 2000}, "idempotent_sends": True},
        )

    def run_account(self, requests, _context):
        return Account(requests).run()


class OnlyTheGateway(grpc.ServerInterceptor):
    """Lets in whoever knows the digest of our token: nobody but the gateway does."""

    def __init__(self):
        token = pathlib.Path(os.environ["GATEHOUSE_TOKEN_FILE"]).read_text().strip()
        self.shown = ("authorization", f"Bearer {hashlib.sha256(token.encode()).hexdigest()}")

        def refuse(_request, context):
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "only the gateway may call")

        self.unary = grpc.unary_unary_rpc_method_handler(refuse)
        self.stream = grpc.stream_stream_rpc_method_handler(refuse)

    def intercept_service(self, continuation, details):
        if self.shown in details.invocation_metadata:
            return continuation(details)
        return self.stream if details.method.endswith("/RunAccount") else self.unary


def main():
    lines = Lines()

    def serialized(answer):
        return answer.SerializeToString()

    def unary(behaviour, request):
        return grpc.unary_unary_rpc_method_handler(behaviour, request.FromString, serialized)

    stream = grpc.stream_stream_rpc_method_handler(lines.run_account, RunAccountRequest.FromString, serialized)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32), interceptors=[OnlyTheGateway()])
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(
                "gatehouse.channel.v1.ChannelAdapter",
                {"DescribeChannel": unary(lines.describe_channel, DescribeChannelRequest), "RunAccount": stream},
            ),
            grpc.method_handlers_generic_handler(
                "gatehouse.plugin.v1.ManifestService",
                {
                    "Describe": unary(lines.describe, DescribeRequest),
                    "Configure": unary(lines.configure, ConfigureRequest),
                },
            ),
        ]
    )
    server.add_insecure_port(os.environ["GATEHOUSE_PLUGIN_LISTEN"])
    server.start()
    print(f"listening at {os.environ['GATEHOUSE_PLUGIN_LISTEN']}", flush=True)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ended.wait()
    server.stop(grace=2).wait()


if __name__ == "__main__":
    main()
