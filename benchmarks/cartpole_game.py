"""CartPole's four numbers, played side by side by gymnasium's vectorised environment."""

from __future__ import annotations

import numpy as np

__all__ = ["CartPoleGame"]


class CartPoleGame:
    """Gymnasium's CartPole, without its limit of 500 steps, which the player sets.

    Args:
        games: Number of games G.
        episodes: Games g and g + episodes start alike.
    """

    num_actions, num_sensors, draws = 2, 4, False

    def __init__(self, games: int, episodes: int) -> None:
        from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv

        self.episodes, self.games = episodes, games
        self.env = CartPoleVectorEnv(games, max_episode_steps=1_000_000)

    def reset(self, seed: int) -> np.ndarray:
        """Start anew; position, velocity, angle and angular velocity ``[G, 4]``."""
        self.env.reset(seed=seed)
        self.env.state = np.tile(self.env.state[:, : self.episodes], self.games // self.episodes)
        return self.env.state.T.astype(np.float32)

    def step(self, action: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values, rewards and ends ``[G]`` after actions ``[G]``; a game that ended starts again."""
        seen, reward, ended, _, _ = self.env.step(action)
        return seen, reward, ended
