"""What an incident run knows, as pure code: alerts, budget, queue state, report and status text."""
