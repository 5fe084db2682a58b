"""What a sweep of triggers writes down, so that a crash costs nothing: needs the extra `journal`."""
