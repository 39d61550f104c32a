"""app.py on a server that is not ready before the file that READY names is there, for `streamlit
run`: to see what is shown.
"""

import os
import time
from pathlib import Path

import app
from stability.engine.cost import Speed, measure_speed
from stability.page import server


def measured_late() -> Speed:
    while not Path(os.environ["READY"]).exists():
        time.sleep(0.05)  # between two looks
    return measure_speed()


if __name__ == "__main__":
    server.measure_speed = measured_late
    app.main()
