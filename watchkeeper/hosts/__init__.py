"""Model hosts: how they are asked, and what to make of anything they answer."""
