"""The server side: the `Server` port over IMAP. The only home of imapclient and tenacity."""
