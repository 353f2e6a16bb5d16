"""What a participant is made with: barrier, problems, database, provisioning, server. Nothing about orders' steps."""
