"""What all tests share."""

from __future__ import annotations

import sys
from pathlib import Path

# `support` holds helpers that tests import by name.
sys.path.insert(0, str(Path(__file__).parent))
