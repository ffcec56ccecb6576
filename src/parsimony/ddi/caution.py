"""What stands under every answer about drugs."""

CAUTION = "For research, not for clinical use."
