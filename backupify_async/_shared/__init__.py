"""One learned limit for many processes: members that take turns at a value in a store."""
