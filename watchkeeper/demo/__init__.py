"""The seed incident to play with and to test against: simulated back ends and a scripted model, over real HTTP."""
