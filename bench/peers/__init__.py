"""What others offer for the same work, used as their documentation shows."""
