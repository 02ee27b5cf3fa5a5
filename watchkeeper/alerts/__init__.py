"""Alert sources, one file each: prove who sent a body, read the alerts in it. Pure; the intake does the rest."""
