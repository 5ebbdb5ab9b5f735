"""What messages look like: answers, buttons, lists and progress."""
