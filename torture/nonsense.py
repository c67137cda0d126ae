"""Numbers, sizes, codes and lines that no server can mean, or that nobody has asked for."""

SIZES = [
    b"0", b"1", b"-1", b"1073741824", b"2147483647", b"2147483648", b"4294967296", b"18446744073709551615",
    b"18446744073709551616", b"9" * 30, b"", b"x", b"0x10",
]  # fmt: skip
NUMBERS = [
    b"0", b"1", b"2", b"-1", b"4294967295", b"4294967296", b"9223372036854775807", b"9223372036854775808",
    b"18446744073709551615", b"9" * 30, b"", b"1e9", b"\xb2", b"\xd9\xa3", b"007", b"*",
]  # fmt: skip
UNASKED = [
    b"* 0 EXISTS\r\n", b"* 3 EXISTS\r\n", b"* 4294967295 EXISTS\r\n", b"* 1 EXPUNGE\r\n", b"* 0 EXPUNGE\r\n",
    b"* 4294967295 EXPUNGE\r\n", b"* 1 RECENT\r\n", b"* 5 FETCH (FLAGS (\\Deleted))\r\n",
    b"* 1 FETCH (UID 1 FLAGS (\\Deleted \\Seen))\r\n", b"* 9 FETCH (UID 999999 FLAGS ())\r\n",
    b"* 9 FETCH (UID 0 FLAGS ())\r\n", b"* 9 FETCH (UID 9999999999 FLAGS ())\r\n", b"* 1 FETCH ()\r\n",
    b"* 1 FETCH\r\n", b"* 1 FETCH (UID)\r\n", b"* 1 FETCH (UID 1 FLAGS NIL)\r\n", b"* 1 FETCH (UID (1) FLAGS 1)\r\n",
    b'* 1 FETCH (UID 2 FLAGS () INTERNALDATE "x" RFC822.SIZE 1)\r\n', b"* 1 FETCH (UID 1 BODY[] NIL)\r\n",
    b'* 1 FETCH (UID 1 FLAGS () INTERNALDATE "17-Jul-1996 02:44:25 -0700" BODY[] {3})\r\n',
    b"* 1 FETCH (UID 1 FLAGS () BODY[] {5}\r\nhello)\r\n", b'* 1 FETCH (UID 1 FLAGS () BODY[] "hello")\r\n',
    b"* 1 FETCH (UID 1 FLAGS () BODY[] hello)\r\n", b"* 1 FETCH (UID 1 BODY[HEADER] ~{2}\r\n\r\n)\r\n",
    b"* 2 FETCH (BODY[] {5}\r\nhello)\r\n", b"* 2 FETCH (BODY[] {5}\r\nhello UID 1 FLAGS (a))\r\n",
    b"* VANISHED 1:4294967295\r\n", b"* VANISHED (EARLIER) 1:4294967295\r\n", b"* VANISHED 0\r\n", b"* VANISHED 5\r\n",
    b"* VANISHED (EARLIER) 3\r\n", b"* VANISHED (EARLIER) 3,3,3:1\r\n", b"* VANISHED\r\n", b"* VANISHED (EARLIER)\r\n",
    b"* VANISHED x:y\r\n", b"* VANISHED (EARLIER) 1:9999999999\r\n", b"* BYE bye\r\n", b"* PREAUTH hello\r\n",
    b"* OK [UIDVALIDITY 0] ok\r\n", b"* OK [UIDVALIDITY 99] ok\r\n", b"* OK [UIDVALIDITY] ok\r\n",
    b"* OK [UIDVALIDITY (1 2)] ok\r\n", b"* OK [CLOSED] ok\r\n", b"* OK [HIGHESTMODSEQ 1] ok\r\n",
    b"* OK [HIGHESTMODSEQ 99999999999999999999]\r\n", b"* OK [UIDNEXT 1] ok\r\n", b"* OK [UIDNEXT 4294967296] ok\r\n",
    b"* OK [NOMODSEQ] ok\r\n", b"* OK [PERMANENTFLAGS ()] ok\r\n", b"* OK [PERMANENTFLAGS (((] ok\r\n",
    b"* OK [ALERT] \x1b[2J\x1b]0;owned\x07\r\n", b"* NO \x1b[31mred\x9b\x00 \xe2\x80\xae\r\n", b"* BAD \xff\xfe\r\n",
    b"* OK [READ-ONLY] ok\r\n", b"* OK [COPYUID 99 1:3 7:9] ok\r\n", b"* OK [APPENDUID 1 5] ok\r\n",
    b"* OK [CAPABILITY IMAP4rev1] ok\r\n", b"* CAPABILITY IMAP4rev1 IMAP4rev2 QRESYNC\r\n", b"* CAPABILITY\r\n",
    b"* ENABLED QRESYNC CONDSTORE\r\n", b"* ENABLED\r\n", b"* SEARCH\r\n", b"* SEARCH 1 2 3\r\n",
    b"* SEARCH 0 4294967296\r\n", b"* SEARCH x\r\n", b'* ESEARCH (TAG "s9") UID ALL 1:5\r\n', b"* ESEARCH\r\n",
    b"* ESEARCH UID ALL 4294967295:1\r\n", b"* ESEARCH (((TAG))) UID ALL\r\n", b'* LIST () "/" "../../etc"\r\n',
    b'* LIST () "/" "/etc/passwd"\r\n', b'* LIST () "/" "a/../b"\r\n', b'* LIST () "/" "~root"\r\n',
    b'* LIST () "/" {9}\r\na\r\nb EXP\x00\r\n', b'* LIST () "/" {14}\r\nx"\r\ns9 EXPUNGE\r\n',
    b'* LIST () "/" &AAA-\r\n', b'* LIST () "/" "&AC8-etc"\r\n', b'* LIST () "/" "&Jjo"\r\n',
    b'* LIST () "/" "&ZeVnLIqe"\r\n', b"* LIST () NIL x\r\n", b'* LIST () "/" "&2D3-"\r\n',
    b'* LIST () "/" "\xff\xfe\x80"\r\n', b'* LIST () "/" NIL\r\n', b'* LIST () "/" ""\r\n',
    b'* LIST () "/" (x)\r\n', b'* LIST () "//" x\r\n', b'* LIST () "\r" x\r\n', b"* LIST\r\n", b"* LIST ()\r\n",
    b'* LIST (\\Noselect) "/" "Lists"\r\n', b'* LIST () "/" "a\\"b\\\\c"\r\n', b'* LIST () "/" "%41%2F"\r\n',
    b'* LIST () "/" "\x1b[2J"\r\n', b'* LIST () "/" "inbox"\r\n', b'* LIST () "/" INBOX/cur/new/tmp\r\n',
    b'* LIST () "/" "' + b"x" * 5000 + b'"\r\n', b'* STATUS "Old mail" (UIDVALIDITY 0)\r\n', b"* STATUS x\r\n",
    b'* STATUS "Old mail" (MESSAGES 99999999999 UIDNEXT 0 UIDVALIDITY 5)\r\n', b'* STATUS "Old mail" ((UIDNEXT) 1)\r\n',
    b"* NAMESPACE NIL NIL NIL\r\n", b"* NAMESPACE\r\n", b'* NAMESPACE (("../" "/")) NIL NIL\r\n',
    b'* NAMESPACE (("" "//")) ((x)) (((\r\n', b'* NAMESPACE (("\r\n" "\x00")) NIL NIL\r\n', b"* FLAGS\r\n",
    b'* FLAGS (\\Seen "a b" {3}\r\nx)y (z) \xff)\r\n', b"* 1 2 3\r\n", b"*\r\n", b"* \r\n", b"\r\n", b"\n", b"+\r\n",
    b"+ go\r\n", b"+go\r\n", b"?\r\n", b"OK\r\n", b" OK x\r\n", b"s999 OK done\r\n", b"s1 OK done\r\n", b"\x00\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\r\n", b"HTTP/1.1 400 Bad Request\r\n", b"* 1 FETCH (UID 1 X {1048577}\r\n",
]  # fmt: skip
"""Lines that nobody has asked for, or that nobody can mean."""

CODES = [
    b"[APPENDUID 0 0]", b"[APPENDUID 1 1:4294967295]", b"[APPENDUID x y]", b"[APPENDUID]", b"[APPENDUID 1 3:1]",
    b"[COPYUID 1 1:4294967295 1:4294967295]", b"[COPYUID 1 5 6,7]", b"[COPYUID 1 0 0]", b"[COPYUID]",
    b"[COPYUID 1 (5) 6]", b"[CAPABILITY IMAP4rev1 UIDPLUS APPENDLIMIT=" + b"9" * 5000 + b"]",
    b"[UIDNEXT 99999999999999999999999999]", b"[TRYCREATE]", b"[NONEXISTENT]", b"[ALREADYEXISTS]", b"[EXPUNGEISSUED]",
    b"[OVERQUOTA]", b"[UNAVAILABLE]", b"[ALERT", b"[]", b"[[[[", b'["]', b"[x (((((]", b"[MODIFIED 1:*]",
    b"[" + b"X" * 70_000 + b"]", b"[CAPABILITY " + b"A " * 5000 + b"]", b"[BADCHARSET ({3}\r\nabc)]",
]  # fmt: skip
