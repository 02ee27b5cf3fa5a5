"""The watchdog: pages people for alerts that have no report. Part of the intake, so that it outlives the workers."""
