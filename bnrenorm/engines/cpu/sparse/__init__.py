"""Images without their black pixels."""
