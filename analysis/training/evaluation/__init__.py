"""How good models are, and how the published methods compare: `run.evaluate` reads top down."""
