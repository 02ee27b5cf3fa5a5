"""The tools, one file each; a file that is dropped here is found."""
