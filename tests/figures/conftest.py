"""What tests of figures draw."""

import pytest
from support.figures import random_probe_rows


@pytest.fixture
def probe_rows():
    return random_probe_rows()
