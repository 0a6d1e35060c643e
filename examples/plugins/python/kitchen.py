#!/usr/bin/env python3
"""A plugin in Python: it adds a method, `kitchen.boil`, and publishes an event, `kitchen.done`.

It needs grpcio and protobuf (Debian: python3-grpcio, python3-protobuf) and kitchen.pb, which `gatehouse plugins compile kitchen.proto`
makes; no generated code. `gatehouse up` starts it and tells it the rest by its environment.
"""

import hashlib
import json
import os
import pathlib
import signal
import threading
import urllib.request
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

DESCRIPTORS = pathlib.Path(__file__).with_name("kitchen.pb").read_bytes()
SETTINGS_SCHEMA = {
    "type": "object",
    "properties": {"pot": {"type": "string", "description": "What the tea is poured from."}},
    "additionalProperties": False,
}


def classes():
    """The messages of kitchen.pb as classes."""
    pool = descriptor_pool.DescriptorPool()
    files = descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS)
    for file in files.file:  # each stands behind what it imports
        pool.AddSerializedFile(file.SerializeToString())

    def find(name):
        descriptor = pool.FindMessageTypeByName(name)
        if hasattr(message_factory, "GetMessageClass"):
            return message_factory.GetMessageClass(descriptor)
        return message_factory.MessageFactory(pool).GetPrototype(descriptor)  # protobuf before 4.22

    return find


message = classes()
BoilRequest, BoilResponse = message("kitchen.v1.BoilRequest"), message("kitchen.v1.BoilResponse")
ConfigureRequest = message("gatehouse.plugin.v1.ConfigureRequest")
ConfigureResponse = message("gatehouse.plugin.v1.ConfigureResponse")
DescribeRequest = message("gatehouse.plugin.v1.DescribeRequest")
DescribeResponse = message("gatehouse.plugin.v1.DescribeResponse")
ServeHttpRequest = message("gatehouse.plugin.v1.ServeHttpRequest")
ServeHttpResponse = message("gatehouse.plugin.v1.ServeHttpResponse")


def token():
    """This plugin's own credential: the gateway keeps it in a file that only we and the gateway can read."""
    return pathlib.Path(os.environ["GATEHOUSE_TOKEN_FILE"]).read_text().strip()


def call(method, params):
    """Calls a method of the gateway, as this plugin."""
    url = os.environ["GATEHOUSE_URL"].replace("ws", "http", 1)
    request = urllib.request.Request(f"{url}/rpc/{method}", json.dumps(params).encode())
    request.add_header("authorization", f"Bearer {token()}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


class Kitchen:
    """What the plugin does."""

    def __init__(self):
        self.pot = "a cup"

    def describe(self, _request, _context):
        return DescribeResponse(
            title="The kitchen",
            version="1.0",
            file_descriptor_set=DESCRIPTORS,
            config_schema=json.dumps(SETTINGS_SCHEMA),
        )

    def configure(self, request, _context):
        self.pot = json.loads(request.config).get("pot", "a cup")
        return ConfigureResponse()

    def boil(self, request, _context):
        cup = f"{request.leaf} tea from {self.pot}"
        # Beside the answer: whoever asked does not wait for it.
        threading.Thread(target=self.tell, args=(cup,), daemon=True).start()
        return BoilResponse(cup=cup)

    def serve_http(self, request, _context):
        """Answers below /plugins/kitchen/, once the entry says `http`: the head, and then the body in pieces."""
        known = request.path == "/"
        head = {"status": 200 if known else 404, "headers": [{"name": "content-type", "value": "text/plain"}]}
        yield ServeHttpResponse(head=head)
        yield ServeHttpResponse(data=f"Tea from {self.pot}.\n".encode() if known else b"There is tea at / only.\n")

    def tell(self, cup):
        call("plugins.publish", {"event": "kitchen.done", "payload": {"cup": cup}})


class OnlyTheGateway(grpc.ServerInterceptor):
    """Lets in whoever knows the digest of our token: nobody but the gateway does."""

    def __init__(self):
        digest = hashlib.sha256(token().encode()).hexdigest()
        self.shown = ("authorization", f"Bearer {digest}")
        self.refuse = grpc.unary_unary_rpc_method_handler(
            lambda _request, context: context.abort(grpc.StatusCode.UNAUTHENTICATED, "only the gateway may call")
        )

    def intercept_service(self, continuation, details):
        return continuation(details) if self.shown in details.invocation_metadata else self.refuse


def unary(behaviour, request):
    return grpc.unary_unary_rpc_method_handler(
        behaviour,
        request_deserializer=request.FromString,
        response_serializer=lambda response: response.SerializeToString(),
    )


def main():
    kitchen = Kitchen()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8), interceptors=[OnlyTheGateway()])
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler("kitchen.v1.Kitchen", {"Boil": unary(kitchen.boil, BoilRequest)}),
            grpc.method_handlers_generic_handler(
                "gatehouse.plugin.v1.ManifestService",
                {
                    "Describe": unary(kitchen.describe, DescribeRequest),
                    "Configure": unary(kitchen.configure, ConfigureRequest),
                },
            ),
            grpc.method_handlers_generic_handler(
                "gatehouse.plugin.v1.HttpService",
                {
                    "ServeHttp": grpc.unary_stream_rpc_method_handler(
                        kitchen.serve_http,
                        request_deserializer=ServeHttpRequest.FromString,
                        response_serializer=lambda response: response.SerializeToString(),
                    )
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
