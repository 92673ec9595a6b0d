"""What every comparison shares: store, progress, report, figures, machine, cost."""
