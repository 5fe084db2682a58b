"""JSON to models and back: strict about ids, tolerant of everything else."""
