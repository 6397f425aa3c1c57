"""A server whose answers take for ever although something always comes."""

import socket
import threading

HEAD = b"HTTP/1.1 200 OK\r\nX-Long: "
BODY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9999\r\n\r\n"


class Dripping:
    """Answers any request with a beginning, and then a byte every tenth of a second."""

    def __init__(self, beginning):
        self.beginning = beginning

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.closing, self.is_done = threading.Event(), threading.Event()
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1"
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def serve(self):
        connection, _ = self.listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(self.beginning)
            for _ in range(600):
                if self.closing.wait(0.1):
                    return
                try:
                    connection.sendall(b"x")
                except OSError:
                    return
            self.is_done.set()

    def __exit__(self, *exception):
        self.closing.set()
        self.listener.close()
