"""Report destinations, one file each. A destination recognises a report that it already has."""
