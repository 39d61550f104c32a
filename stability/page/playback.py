"""The playback of a run: a pause stops one visitor's view, not the run."""

from dataclasses import dataclass


@dataclass
class Playback:
    """The state of playback: playing, or paused after `count` measurements."""

    last_step: int
    paused: bool = False
    count: int = 1

    def toggle_pause(self) -> None:
        """Pause at the measurements shown, or play on."""
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
        """Pause after `count` measurements, at least one and at most all."""
        self.paused, self.count = True, max(1, min(count, self.last_step + 1))

    def until(self, last_index: int) -> int:
        """Return how many measurements to draw of a run that ends at `last_index`."""
        return self.count if self.paused else last_index + 1
