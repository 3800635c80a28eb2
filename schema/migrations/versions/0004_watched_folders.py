"""The watched folders as they were last there, and when the rights of a file changed last."""

from alembic import op

from schema.script import statements

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen the ledger and remember the folders; no row is rewritten."""
    for statement in statements("migrations", "versions", "0004_watched_folders.sql"):
        op.execute(statement)
