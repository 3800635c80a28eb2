"""Columns for what the network says of particles that meet; empty in older rows."""

from alembic import op

from schema.script import statements

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen the particles; no row is rewritten."""
    for statement in statements("migrations", "versions", "0003_junction_features.sql"):
        op.execute(statement)
