# Copyright 2026 The uvgrpc Authors
# SPDX-License-Identifier: Apache-2.0
"""Makes the paths of a depfile absolute: depfile.py FILE

Cython writes them from the folder it runs in; CMake would take them from that of the target, find
nothing there, and run Cython anew each time.
"""

import os
import sys
from pathlib import Path

file = Path(sys.argv[1])
target, sources = file.read_text().replace("\\\n", " ").split(":", 1)
paths = " ".join(os.path.abspath(each) for each in sources.split())
file.write_text(f"{os.path.abspath(target)}: {paths}\n")
