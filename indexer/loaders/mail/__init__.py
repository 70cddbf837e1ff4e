"""Mail: messages, mailboxes, what Outlook saves."""
