"""Activities: everything that reaches outside the workflow."""
