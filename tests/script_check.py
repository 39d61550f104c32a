"""Run all thirty programs of `script_cases`, each as a process of its own in an empty folder and
with an empty environment, and compare their curves with the engine's.

    python tests/script_check.py
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import torch

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

from script_cases import CASES, distance_from_engine, in_float64, is_chaotic, program  # noqa: E402


def run_alone(text: str, folder: Path) -> str:
    """What a program prints that runs in this folder, with nothing around it."""
    path = folder / "program.py"
    path.write_text(text, encoding="utf-8")
    command = [sys.executable, "-I", "-W", "error", path.name]
    done = subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    assert not done.stderr
    assert list(folder.iterdir()) == [path]
    return done.stdout


def main() -> None:
    torch.set_num_threads(1)
    agreeing = 0
    for number, case in enumerate(CASES):
        for e in (case, in_float64(case)):
            with tempfile.TemporaryDirectory() as empty, tempfile.TemporaryDirectory() as other:
                printed = run_alone(program(e), Path(empty))
                distance, chaotic = (
                    distance_from_engine(e, printed),
                    is_chaotic(e, printed, Path(other)),
                )
            word = "chaotic: float64 decides" if chaotic else "agrees"
            word = word if chaotic or distance < 1e-3 else "DIFFERS"
            print(
                f"{number:2} {distance:.1e} {e.precision:14} {e.schemes[0]:16} {word}", flush=True
            )
            if not chaotic:
                agreeing += distance < 1e-3
                break
    print(f"{agreeing} of {len(CASES)} agree")
    sys.exit(0 if agreeing == len(CASES) else 1)


if __name__ == "__main__":
    main()
