"""The report page of one run, in Markdown or in HTML with a timeline."""
