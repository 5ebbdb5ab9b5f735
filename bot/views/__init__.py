"""The look of messages: answers, buttons, lists and progress."""
