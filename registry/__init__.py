"""What the archive tells the VO of itself: identifiers now; resource records and OAI-PMH later."""
