"""Columns for the features of lattice, phase, texture, outline and shade; empty in older rows."""

from alembic import op

from schema.script import statements

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen the particles; no row is rewritten."""
    for statement in statements("migrations", "versions", "0002_lattice_features.sql"):
        op.execute(statement)
