"""One trigger's safe way: sent once, and looked for where its answer was lost."""
