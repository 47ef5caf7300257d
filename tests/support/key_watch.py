"""Command lines of all processes of this machine, which any user can read."""

import threading
from pathlib import Path


class KeyWatch(threading.Thread):
    """Reads all processes' command lines until it is stopped; those that held a key or token.

    traces: keys and tokens, as bytes.
    """

    def __init__(self, traces):
        super().__init__(daemon=True)
        self.traces = traces
        self.seen = set()
        self.read = 0
        self._stopped = threading.Event()

    def run(self):
        while not self._stopped.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = path.read_bytes()
                except OSError:
                    continue
                self.read += 1
                if any(trace in line for trace in self.traces):
                    self.seen.add(line)

    def stop(self):
        self._stopped.set()
        self.join()
        return self.seen
