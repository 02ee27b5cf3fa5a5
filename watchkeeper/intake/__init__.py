"""The intake: the HTTP process that receives alerts and requests of people and programs."""
