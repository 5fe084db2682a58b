"""Many instances at once: fan-outs, and the operations on backups over them."""
