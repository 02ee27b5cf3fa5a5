"""The demo incident: simulated back ends and a scripted model, over real HTTP."""
