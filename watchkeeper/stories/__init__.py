"""The story of a run, read from its history alone and told to people and their scripts."""
