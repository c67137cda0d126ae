"""The Maildir: file names, directories, line endings, and the LocalStore port on top of them.

The Maildir specification is https://cr.yp.to/proto/maildir.html; the letters for keywords and the `dovecot-keywords`
file are Dovecot's (https://doc.dovecot.org, "Maildir Mailbox Format").
"""
