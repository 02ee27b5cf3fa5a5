"""The watchdog: pages people for alerts that have no report. It runs in the intake, so it outlives the workers."""
