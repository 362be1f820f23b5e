"""The one way to onnxruntime.

Without the variable it counts its uses in a file of its own and sends them to its maker: lineread keeps what is done
with it on the machine. Its own switch, `disable_telemetry_events`, comes too late for that. This is the only write to
the environment in lineread (see `config` for what is read), and a value of the user's own stays.
"""

from __future__ import annotations

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort

__all__ = ["ort"]
