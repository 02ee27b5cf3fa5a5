"""The watchdog: pages people for alerts without a report. It runs in the intake, so it does not need the workers."""
