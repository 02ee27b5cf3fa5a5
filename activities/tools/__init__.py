"""The tools, one file each. Every file in this directory is loaded."""
