"""PyJWT: a token of the box verified offline, as the page of the documentation shows it."""

import os
import subprocess
import sys


def run(url, example, good, bad):
    env = {**os.environ, "TAOS_URL": url}
    done = subprocess.run([sys.executable, example, good], env=env, capture_output=True, text=True)
    assert done.returncode == 0 and "atlas may: tasks" in done.stdout, done
    for token in (bad, good[:-6] + "AAAAAA"):
        done = subprocess.run([sys.executable, example, token], env=env, capture_output=True, text=True)
        assert done.returncode != 0 and not done.stdout, done
