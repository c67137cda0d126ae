BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE deletion (
	id INTEGER NOT NULL, 
	mailbox BLOB NOT NULL, 
	side TEXT NOT NULL, 
	count INTEGER NOT NULL, 
	at INTEGER NOT NULL, 
	CONSTRAINT pk_deletion PRIMARY KEY (id), 
	CONSTRAINT ck_deletion_side CHECK (side IN ('server', 'local')), 
	CONSTRAINT ck_deletion_count CHECK (count > 0)
);
INSERT INTO "deletion" VALUES(1,X'494E424F58','local',3,1700000000);
CREATE TABLE intent (
	mailbox_id INTEGER NOT NULL, 
	name BLOB NOT NULL, 
	uidnext INTEGER, 
	internaldate INTEGER, 
	sent INTEGER, 
	CONSTRAINT pk_intent PRIMARY KEY (mailbox_id, name), 
	CONSTRAINT fk_intent_mailbox_id_mailbox FOREIGN KEY(mailbox_id) REFERENCES mailbox (id)
)
 WITHOUT ROWID

;
INSERT INTO "intent" VALUES(2,X'332E686F7374',4,1600000000,NULL);
INSERT INTO "intent" VALUES(2,X'342E686F7374',NULL,NULL,1);
CREATE TABLE keyword_set (
	id INTEGER NOT NULL, 
	names TEXT NOT NULL, 
	CONSTRAINT pk_keyword_set PRIMARY KEY (id), 
	CONSTRAINT uq_keyword_set_names UNIQUE (names)
);
INSERT INTO "keyword_set" VALUES(1,'["work"]');
INSERT INTO "keyword_set" VALUES(2,'["later","work"]');
CREATE TABLE mailbox (
	id INTEGER NOT NULL, 
	name BLOB NOT NULL, 
	uidvalidity INTEGER, 
	uidnext INTEGER, 
	highestmodseq INTEGER, 
	object_id BLOB, 
	mapping TEXT DEFAULT '{}' NOT NULL, 
	synced_at INTEGER, 
	held TEXT, 
	error BLOB, 
	CONSTRAINT pk_mailbox PRIMARY KEY (id), 
	CONSTRAINT uq_mailbox_name UNIQUE (name), 
	CONSTRAINT ck_mailbox_epoch CHECK (uidvalidity IS NOT NULL OR (uidnext IS NULL AND highestmodseq IS NULL AND object_id IS NULL))
);
INSERT INTO "mailbox" VALUES(1,X'494E424F58',7,9,9223372036854775807,X'4631','{"a":"work"}',1700000001,'server',NULL);
INSERT INTO "mailbox" VALUES(2,X'576F726B2F61',NULL,NULL,NULL,NULL,'{}',NULL,NULL,X'6E6F20EDB3BF');
CREATE TABLE meta (
	"key" TEXT NOT NULL, 
	value BLOB NOT NULL, 
	CONSTRAINT pk_meta PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('account',X'776F726B');
INSERT INTO "meta" VALUES('created',X'31373030303030303030');
INSERT INTO "meta" VALUES('store_id',X'73746F7265');
CREATE TABLE pair (
	mailbox_id INTEGER NOT NULL, 
	uid INTEGER NOT NULL, 
	name BLOB NOT NULL, 
	flags INTEGER NOT NULL, 
	keyword_set_id INTEGER, 
	size INTEGER NOT NULL, 
	header BLOB NOT NULL, 
	content BLOB NOT NULL, 
	email_id BLOB, 
	state INTEGER NOT NULL, 
	CONSTRAINT pk_pair PRIMARY KEY (mailbox_id, uid), 
	CONSTRAINT uq_pair_mailbox_id_name UNIQUE (mailbox_id, name), 
	CONSTRAINT fk_pair_mailbox_id_mailbox FOREIGN KEY(mailbox_id) REFERENCES mailbox (id), 
	CONSTRAINT fk_pair_keyword_set_id_keyword_set FOREIGN KEY(keyword_set_id) REFERENCES keyword_set (id), 
	CONSTRAINT ck_pair_uid CHECK (uid BETWEEN 1 AND 4294967295), 
	CONSTRAINT ck_pair_flags CHECK (flags BETWEEN 0 AND 31), 
	CONSTRAINT ck_pair_size CHECK (size >= 0), 
	CONSTRAINT ck_pair_digests CHECK (length(header) = 16 AND length(content) = 16), 
	CONSTRAINT ck_pair_state CHECK (state BETWEEN 0 AND 2)
)
 WITHOUT ROWID

;
INSERT INTO "pair" VALUES(1,1,X'312E686F7374',1,1,100,X'00000000000000000000000000000000',X'31313131313131313131313131313131',NULL,0);
INSERT INTO "pair" VALUES(1,2,X'322E686F7374EDB3BF',0,NULL,200,X'00000000000000000000000000000000',X'32323232323232323232323232323232',X'4D32',1);
INSERT INTO "pair" VALUES(2,1,X'312E686F7374',0,2,100,X'00000000000000000000000000000000',X'31313131313131313131313131313131',NULL,0);
COMMIT;
