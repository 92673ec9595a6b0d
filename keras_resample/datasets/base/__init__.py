"""What every dataset stands on: order, batches, pairs, windows."""
