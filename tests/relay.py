"""The tests' database over TCP, without TLS: what a client sees of a server somewhere else."""

import socket
import threading
from contextlib import contextmanager, suppress


@contextmanager
def relay_to(folder, port):
    """Yield a port of 127.0.0.1 from which each connection leads to the server's socket in the folder."""
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(listener, f"{folder}/.s.PGSQL.{port}"), daemon=True).start()
    with listener:
        yield listener.getsockname()[1]


def _accept(listener, path):
    while True:
        try:
            client, _ = listener.accept()
        except OSError:  # closed
            return
        server = socket.socket(socket.AF_UNIX)
        server.connect(path)
        for ends in ((client, server), (server, client)):
            threading.Thread(target=_copy, args=ends, daemon=True).start()


def _copy(source, target):
    with suppress(OSError), source:  # the other direction may have closed it
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
