"""As much of a pooler as a client sees of it: real sessions of the server, dealt out in different ways."""

import os
import socket
import struct
import threading
from itertools import count

import psycopg

ENCRYPTION = (80877103, 80877104)  # SSLRequest and GSSENCRequest; PostgreSQL's manual, "Message Formats"
PARAMETERS = {
    "server_version": "18.0",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "integer_datetimes": "on",
    "TimeZone": "UTC",
}


class Pooler:
    """Listens in a folder as PostgreSQL does.

    `mode` is "session", a session for each client; "transaction", one for all that are idle; or "round
    robin", each statement at the next of three.
    """

    def __init__(self, folder, settings, mode):
        self.mode, self.lock, self.turn = mode, threading.Lock(), count()
        keys = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password", "NAME": "dbname"}
        params = {key: value for name, key in keys.items() if (value := settings[name])}
        self.sessions = [psycopg.connect(**params, autocommit=True) for _ in range(3)]
        self.servers = [socket.socket(fileno=os.dup(session.pgconn.socket)) for session in self.sessions]
        for server in self.servers:
            server.setblocking(True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(folder / f".s.PGSQL.{settings['PORT'] or 5432}"))
        self.listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()
        for each in (*self.servers, *self.sessions):
            each.close()

    def _accept(self):
        for number in count():
            try:
                client, _ = self.listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(client, number), daemon=True).start()

    def _serve(self, client, number):
        with client:
            if not self._greet(client, number):
                return
            request = b""
            while message := read_message(client):
                if message[:1] == b"X":
                    return
                request += message
                if message[:1] in b"QS":
                    self._pass_on(client, self._choose(number), request)
                    request = b""

    def _greet(self, client, number):
        while header := read_exactly(client, 8):
            length, code = struct.unpack("!ii", header)
            if code not in ENCRYPTION:
                read_exactly(client, length - 8)
                break
            client.sendall(b"N")
        status = [f"{name}\0{value}\0".encode() for name, value in PARAMETERS.items()]
        answers = [(b"R", struct.pack("!i", 0)), *((b"S", each) for each in status)]
        answers += [(b"K", struct.pack("!ii", 7_000_000 + number, 1)), (b"Z", b"I")]
        client.sendall(b"".join(kind + struct.pack("!i", len(body) + 4) + body for kind, body in answers))
        return bool(header)

    def _choose(self, number):
        chosen = {"session": number, "transaction": 0, "round robin": next(self.turn)}[self.mode]
        return self.servers[chosen % len(self.servers)]

    def _pass_on(self, client, server, request):
        with self.lock:
            server.sendall(request)
            while message := read_message(server):
                client.sendall(message)
                if message[:1] == b"Z":
                    return


def read_message(source):
    header = read_exactly(source, 5)
    return header + read_exactly(source, struct.unpack("!i", header[1:])[0] - 4) if header else b""


def read_exactly(source, length):
    data = b""
    while len(data) < length:
        part = source.recv(length - len(data))
        if not part:
            return b""
        data += part
    return data
