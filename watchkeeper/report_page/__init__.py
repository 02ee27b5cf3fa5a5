"""A self-contained report of one run, in Markdown or in HTML with a timeline."""
