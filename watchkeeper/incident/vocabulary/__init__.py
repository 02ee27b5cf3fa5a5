"""What models write in reports, as words and patterns."""
