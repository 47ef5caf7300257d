"""Input of every kind, and that it is accepted, or refused in one line that names what is wrong.

Cases are drawn by hypothesis, the same ones each time.
"""

import contextlib
import re
import time

from hypothesis import HealthCheck, settings

from support.outcomes import COLUMNS, record
from think_to_talk.errors import InputError

TABLE = "bad input"
COLUMNS[TABLE] = ("accepted", "refused", "anything else")
#: Seconds of processor time that the longest case may take, on any machine; most take milliseconds.
#: A template of a new length has its models measured.
PATIENCE = 60
HUB = {
    "kind": "hub",
    "repository": "org/model",
    "revision": "0" * 40,
    "architecture": {
        "num_hidden_layers": 2,
        "hidden_size": 64,
        "num_attention_heads": 4,
        "vocab_size": 100,
    },
}

#: Whole configs: {what is wrong: (bytes of config.yaml, the message)}.
OWN_CONFIGS = {
    "malformed YAML": (b"a: [1\nb: }", "config.yaml, line 2: not YAML ("),
    "no mapping": (b"- seeds\n- splits\n", "config.yaml: expected keys with values"),
    "empty": (b"", "config.yaml: expected keys with values"),
    "invalid UTF-8": (b"seeds: \xff\n", "config.yaml: cannot be read as text in UTF-8"),
    "a key twice": (b"seeds: [1]\nseeds: [2]\n", "config.yaml, line 2: duplicate key 'seeds'"),
    "within itself": (b"wandb: &a {b: *a}", "config.yaml, line 1: an entry holds itself"),
    "no text": (b"seeds: [1]\n1: 2", "config: top level: the key 1 is no text"),
}
#: Overlays to the default study: {what is wrong: (text of mine.yaml, the message)}.
OVERLAYS = {
    "a key twice": ("{a: 1, a: 2}", "mine.yaml, line 1: duplicate key 'a'"),
    "no key": ("{}", "mine.yaml: expected keys with values"),
    "an unknown key": ("probs: {}", "config: probs: unknown key; did you mean 'probes'?"),
    "not a number": ("timing: {threshold: .nan}", "config: timing.threshold: nan is not a finite"),
    "a date": ("wandb: {group: 2024-01-01}", "config: wandb.group: found a date: put text in"),
    "a command": ("container: x;touch pwned", "config: container: 'x;touch pwned' does not match"),
    "a name": ("models: {'../x': {kind: local, path: x}}", "config: models: '../x' does not match"),
}


def cases(number):
    """So many cases, the same ones each time; each is timed by the test itself."""
    return settings(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@contextlib.contextmanager
def accepted_or_refused(kind, names):
    """A block that may raise an InputError, of one line that `names` (a pattern) is found in."""
    started = time.process_time()
    outcome = "anything else"
    try:
        yield
        outcome = "accepted"
    except InputError as error:
        message = str(error)
        assert len(message.splitlines()) == 1, message
        assert len(message) < 2000, message
        assert re.search(names, message), (names, message)
        outcome = "refused"
    finally:
        record(TABLE, kind, outcome)
    assert time.process_time() - started < PATIENCE
