"""Records a cloud-rendered UI as one spliced H.264 stream, and proves it.

The frame's way, module by module: `browser` and `display` show the page,
`ring` carries frames out of Chrome's GPU process, `recorder` drives the native
thread that classifies, encodes and splices, `muxer` writes the MKV, `checks`
and `metrics` judge it, `session` ties them together, `run` plays a scenario in
one, `result` concludes, and `pytest_plugin` and `cli` are the two doors.
"""

__version__ = "0.1.0"
