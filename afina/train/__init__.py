"""Plan, loop, batches and checkpoints. Knows no server and no database."""
