"""A WebSocket client that keeps every event and knows when one is missing."""

import json
import threading

from websockets.exceptions import ConnectionClosed

from conftest import eventually
from messages import library


class Subscriber:
    """Subscribed to `topics` from the `with` to the end of its block, on a thread of its own."""

    def __init__(self, gateway, *topics, token=None):
        self.gateway, self.topics, self.token = gateway, topics, token
        self.events = []
        self.closed = None
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self):
        self.socket = library(self.gateway, self.token).__enter__()
        self.socket.send(json.dumps({"type": "subscribe", "topics": list(self.topics)}))
        while json.loads(self.socket.recv(timeout=10))["type"] != "subscriptions":
            pass
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()
        self.socket.close()

    def _read(self):
        while not self.ends.is_set():
            try:
                self.events.append(json.loads(self.socket.recv(timeout=0.1)))
            except TimeoutError:
                continue
            except ConnectionClosed as closed:
                self.closed = closed
                return

    def of(self, topic):
        return [event for event in self.events if event["type"] == topic]

    def until(self, condition, what="the event"):
        return eventually(lambda: any(condition(event) for event in list(self.events)), what=what)

    def check(self):
        """No event of this connection is missing, none came twice, and the plugin's own numbers say the same."""
        assert self.closed is None, self.closed
        others = [event for event in self.events if event["type"] not in self.topics]
        assert not others, others[:3]
        sequences = [event["sequence"] for event in self.events]
        assert sequences == list(range(sequences[0], sequences[0] + len(sequences))), holes(sequences)
        for topic in self.topics:
            numbers = [event["number"] for event in self.of(topic)]
            assert not numbers or numbers == list(range(numbers[0], numbers[0] + len(numbers))), (
                f"{topic}: {holes(numbers)}")


def holes(numbers):
    """Where a number does not follow the one before."""
    return [(before, after) for before, after in zip(numbers, numbers[1:]) if after != before + 1][:10]
