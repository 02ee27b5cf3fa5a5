"""Activities: everything that touches the world."""
