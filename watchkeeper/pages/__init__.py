"""One page about a run, for people who were not there: in Markdown, or in HTML with a picture."""
