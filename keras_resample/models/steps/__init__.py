"""What training steps share."""
