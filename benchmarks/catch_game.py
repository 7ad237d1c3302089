"""Catch on 12x12 pixels: balls fall, one after the other, and a paddle at the bottom moves under them."""

from __future__ import annotations

import numpy as np

__all__ = ["CatchGame"]


class CatchGame:
    """Games side by side.

    A ball, two pixels wide, starts at a random place of the top row and falls by one row a step. The paddle, three
    pixels of the bottom row, goes left, stays or goes right (actions 0, 1, 2) by one column a step. A ball that reaches
    the bottom row is caught where it overlaps the paddle, for a reward of 1, and missed otherwise, for -1; the next one
    starts at the following step. The paddle keeps off the walls by one column, so that it catches 4 of 11 balls
    wherever it stays.

    Args:
        games: Number of games G.
        episodes: Games g and g + episodes have the same balls.
    """

    num_actions, num_sensors, draws = 3, 144, True  # who doesn't know has to try

    def __init__(self, games: int, episodes: int) -> None:
        self.games, self.episodes, self.size = games, episodes, 12

    def reset(self, seed: int) -> np.ndarray:
        """Start anew; pixels ``[G, size * size]``, row by row."""
        self.random = np.random.default_rng(seed)
        self.paddle = np.full(self.games, 4)
        self._drop()
        return self._picture()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pixels, rewards and ends ``[G]`` after actions ``[G]``; an episode has no end of its own."""
        self.paddle = np.clip(self.paddle + action - 1, 1, self.size - 4)
        reward = np.zeros(self.games)
        if self.row == self.size - 1:
            self._drop()
        else:
            self.row += 1
            if self.row == self.size - 1:
                distance = self.ball - self.paddle
                reward = np.where((distance >= -1) & (distance <= 2), 1.0, -1.0)
        return self._picture(), reward, np.zeros(self.games, dtype=bool)

    def _drop(self) -> None:
        self.row = 0
        self.ball = np.tile(self.random.integers(0, self.size - 1, self.episodes), self.games // self.episodes)

    def _picture(self) -> np.ndarray:
        columns = np.arange(self.size)
        picture = np.zeros((self.games, self.size, self.size), dtype=np.float32)
        under, ball = columns - self.paddle[:, None], columns - self.ball[:, None]
        picture[:, -1] = (under >= 0) & (under < 3)
        picture[:, self.row] += (ball >= 0) & (ball < 2)
        return picture.clip(max=1.0).reshape(self.games, -1)
