"""syncer keeps a local Maildir and an IMAP account equal, both ways."""

__version__ = "0.1.0"
