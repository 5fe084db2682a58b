"""The classes of `backupify_async.errors`, by what they are about."""
