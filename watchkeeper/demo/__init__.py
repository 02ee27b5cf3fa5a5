"""The demo incident: simulated back ends and the script of the scripted model, over real HTTP."""
