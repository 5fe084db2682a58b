"""The commands: one module each, with its signature, its help and what it does. `app` registers them."""
