"""The first tables. Their text is frozen in the file of the same name that ends in `.sql`."""

from alembic import op

from schema.script import statements

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and indexes of the first release."""
    for statement in statements("migrations", "versions", "0001_first_tables.sql"):
        op.execute(statement)
