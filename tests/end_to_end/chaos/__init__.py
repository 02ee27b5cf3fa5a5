"""What a run survives: every process around it is killed, frozen or cut off, at every point of its history."""
