"""Asks for the services that a process has, by gRPC's reflection, as Python's grpcio does it: on a Unix socket or a port.

tools.py TARGET CREDENTIAL...: the first line of the credential's file is shown as the bearer token. No generated code is needed: the
one question is a message of one field (`list_services`, number 7 of ServerReflectionRequest), and names stand in the answer as text.
"""

import faulthandler
import re
import sys

import grpc

# Who hangs says where, and ends before the test that waits for it does.
faulthandler.dump_traceback_later(50, exit=True)
target, credential = sys.argv[1:]
token = open(credential).readline().strip()
# What docs/operations.md says: gRPC's C library sends the socket's path as `:authority` otherwise.
options = [("grpc.default_authority", "localhost")] if target.startswith("unix:") else []
channel = grpc.insecure_channel(target, options=options)
for version in ["v1", "v1alpha"]:
    ask = channel.stream_stream(f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")
    answers = ask(iter([b"\x3a\x01*"]), metadata=[("authorization", f"Bearer {token}")], timeout=10)
    try:
        # To the stream's end: grpcio waits for ever, once in a hundred times, when Python ends before a stream does.
        names = re.findall(rb"gatehouse\.[a-z.0-9]+\.[A-Za-z]+Service", b"".join(answers))
        print(version, *sorted({name.decode() for name in names}))
    except grpc.RpcError as error:
        print(version, error.code().name)
check = channel.unary_unary("/grpc.health.v1.Health/Check")
print("health", check(b"", timeout=10).hex())
channel.close()
