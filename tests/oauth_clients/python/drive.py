"""Drives one client: the module of its family, the address of the box, the operator's token, and what else it takes."""

import importlib
import sys

importlib.import_module(sys.argv[1]).run(*sys.argv[2:])
print(sys.argv[1], "done")
