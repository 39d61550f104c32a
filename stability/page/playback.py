"""One visitor's playback of a run: pausing and stepping belong to the viewer, not to the run."""

from dataclasses import dataclass


@dataclass
class Playback:
    """Playing, or paused after the first `count` measurements: steps 0 to `count - 1`."""

    last_step: int
    paused: bool = False
    count: int = 1

    def toggle_pause(self) -> None:
        """Pause at the measurements that are shown, or play on."""
        self.paused = not self.paused

    def step_forward(self) -> None:
        """Show one more measurement, paused."""
        self.pause_at(self.count + 1)

    def step_back(self) -> None:
        """Show one measurement less, paused."""
        self.pause_at(self.count - 1)

    def rewind(self) -> None:
        """Show the state before the first step, paused."""
        self.pause_at(1)

    def pause_at(self, count: int) -> None:
        """Pause after `count` measurements, as far as there are that many; one at least."""
        self.paused, self.count = True, max(1, min(count, self.last_step + 1))

    def until(self, last_index: int) -> int:
        """Return how many measurements of a run to draw, the last of which has this index."""
        return self.count if self.paused else last_index + 1
