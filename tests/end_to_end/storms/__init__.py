"""Storms: many groups of alerts at once, told by a sender that does not give up, while what takes them in is killed."""
