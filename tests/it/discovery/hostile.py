"""Somebody on the network who has every name already: each question whether a name is free is answered with a record of another machine.
$1: the address of the interface. Says "there" when it listens."""

import socket
import struct
import sys

GROUP, PORT = "224.0.0.251", 5353
ANY, SRV, OWNED = 255, 33, 0x8001


def name_at(packet, place):
    """The labels of a name, and where the next field begins."""
    labels, after = [], None
    while (length := packet[place]) != 0:
        if length >= 0xC0:  # it goes on where it was said before
            after = after or place + 2
            place = struct.unpack_from("!H", packet, place)[0] & 0x3FFF
            continue
        labels.append(packet[place + 1 : place + 1 + length])
        place += 1 + length
    return labels, after or place + 1


def encoded(labels):
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


interface = sys.argv[1]
door = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
door.bind(("", PORT))
door.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + socket.inet_aton(interface))
door.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
print("there", flush=True)
while True:
    packet = door.recv(9000)
    _, flags, questions = struct.unpack_from("!HHH", packet)
    place = 12
    for _ in range(0 if flags & 0x8000 else questions):
        labels, place = name_at(packet, place)
        kind, _ = struct.unpack_from("!HH", packet, place)
        place += 4
        if kind == ANY and b"_openclaw-gw" in labels:
            mine = struct.pack("!HHH", 0, 0, 9) + encoded([b"elsewhere", b"local"])
            record = encoded(labels) + struct.pack("!HHIH", SRV, OWNED, 120, len(mine)) + mine
            door.sendto(struct.pack("!HHHHHH", 0, 0x8400, 0, 1, 0, 0) + record, (GROUP, PORT))
