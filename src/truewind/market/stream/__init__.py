"""Live streams: connections that mend themselves, messages in order and complete, and the recorder."""
