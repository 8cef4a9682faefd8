"""Learning rates that several methods share."""

from __future__ import annotations


def base_learning_rate(parameters: int) -> tuple[float, str]:
    """The default for moving the base's own weights, by its size."""
    for limit, rate in ((50e6, 2e-4), (200e6, 5e-5), (1e9, 3e-5), (4e9, 2e-5)):
        if parameters <= limit:
            return rate, f"weights of the base, up to {limit / 1e6:,.0f} M parameters"
    return 1e-5, "weights of a base above 4,000 M parameters"
