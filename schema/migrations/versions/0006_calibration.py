"""A session may state how sure its calibration is."""

from alembic import op

from schema.script import statements

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen the sessions; no row is rewritten."""
    for statement in statements("migrations", "versions", "0006_calibration.sql"):
        op.execute(statement)
