"""What can go wrong with the rows and files of results."""


class SchemaError(Exception):
    """The stored results cannot be used as asked."""


class StateError(SchemaError):
    """The state folder needs a person before anything is written into it."""


class MasksWithoutDatabase(StateError):
    """Mask files lie in the state folder and their database is gone: `rebuild` restores it."""


class NotOurDatabase(StateError):
    """The file is no database of fringewatch."""


class DatabaseLost(StateError):
    """The database in use was removed, replaced, cut short or made read-only under its owner."""


class DatabaseBusy(SchemaError):
    """The database cannot be opened just now: another program has it, or the disk is full."""


class SchemaTooNew(StateError):
    """A later release wrote this database or state folder."""


class SchemaTooOld(StateError):
    """The database must be migrated before this release can read it."""


class LedgerError(SchemaError):
    """A file cannot take this step from the state it is in."""


class StoreError(SchemaError):
    """A result does not fit the tables."""


class MaskFileError(SchemaError):
    """A mask file is damaged, or holds something else than was written."""
