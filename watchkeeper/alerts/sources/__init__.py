"""One alert source per file: payload models of the vendor, signature check and parser."""
