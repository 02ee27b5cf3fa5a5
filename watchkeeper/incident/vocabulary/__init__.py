"""What models write in reports, as patterns."""
