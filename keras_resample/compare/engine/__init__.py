"""What every comparison shares: settings, store, resume, progress, speed, report, figures."""
