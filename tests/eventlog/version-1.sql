-- A database as version 1 left it: two records in the journal, four events, one item under way.
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE dead_letters (
  exporter TEXT NOT NULL,
  key TEXT NOT NULL,
  segment INTEGER NOT NULL,
  at REAL NOT NULL,
  reason TEXT NOT NULL,
  request BLOB,
  answer BLOB,
  PRIMARY KEY (exporter, key, segment)
) WITHOUT ROWID;
INSERT INTO "dead_letters" VALUES('chats','event:e4',0,100.0,'bad',NULL,NULL);
INSERT INTO "dead_letters" VALUES('events','event:e2',0,5.0,'no',X'7B22626F6479223A317D',X'7B22737461747573223A3432327D');
INSERT INTO "dead_letters" VALUES('events','event:e4',0,100.0,'bad',NULL,NULL);
CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  session TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('event', 'undecodable', 'end')),
  format TEXT NOT NULL,
  payload BLOB NOT NULL,
  recorded_at REAL NOT NULL,
  error TEXT
);
INSERT INTO "events" VALUES(1,'e1','s','event','llmtee',X'7B226964223A226531227D',100.0,NULL);
INSERT INTO "events" VALUES(2,'e2','s','event','llmtee',X'7B226964223A226532227D',100.0,NULL);
INSERT INTO "events" VALUES(3,'e3','t','event','llmtee',X'7B226964223A226533227D',100.0,NULL);
INSERT INTO "events" VALUES(4,'e4','u','undecodable','llmtee',X'7B226964223A226534227D',100.0,'bad');
CREATE TABLE exporters (
  name TEXT PRIMARY KEY,
  start INTEGER NOT NULL,
  position INTEGER NOT NULL,
  delivered INTEGER NOT NULL DEFAULT 0,
  forgotten INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
INSERT INTO "exporters" VALUES('chats',0,4,0,0);
INSERT INTO "exporters" VALUES('events',0,4,1,0);
CREATE TABLE journal (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL,
  format TEXT NOT NULL,
  payload BLOB NOT NULL,
  recorded_at REAL NOT NULL,
  live INTEGER NOT NULL
);
INSERT INTO "journal" VALUES(1,'e5','llmtee',X'7B226B696E64223A2273746570222C226964223A226535227D',101.0,1);
INSERT INTO "journal" VALUES(2,'e6','openai-chat',X'7B7D',102.0,0);
CREATE TABLE work (
  exporter TEXT NOT NULL,
  key TEXT NOT NULL,
  segment INTEGER NOT NULL,
  -- Of an event that must not overtake the others of its session.
  in_order_of TEXT,
  phase TEXT NOT NULL CHECK (phase IN ('open', 'live', 'closed')),
  state TEXT NOT NULL CHECK
    (state IN ('pending', 'claimed', 'inflight', 'done', 'dead', 'unknown', 'skipped')),
  after_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  delivered_seq INTEGER NOT NULL DEFAULT 0,
  events INTEGER NOT NULL,
  delivered INTEGER NOT NULL DEFAULT 0,
  due_at REAL NOT NULL,
  not_before REAL NOT NULL DEFAULT 0,
  waiting_since REAL,
  attempts INTEGER NOT NULL DEFAULT 0,
  first_at REAL,
  reason TEXT,
  PRIMARY KEY (exporter, key, segment)
) WITHOUT ROWID;
INSERT INTO "work" VALUES('chats','event:e4',0,NULL,'closed','dead',3,4,0,1,0,0.0,0.0,NULL,0,NULL,'bad');
INSERT INTO "work" VALUES('chats','session:s',0,NULL,'open','pending',0,2,0,2,0,700.0,0.0,100.0,0,NULL,NULL);
INSERT INTO "work" VALUES('chats','session:t',0,NULL,'open','pending',0,3,0,1,0,700.0,0.0,100.0,0,NULL,NULL);
INSERT INTO "work" VALUES('events','event:e2',0,NULL,'closed','dead',1,2,0,1,0,0.0,0.0,NULL,0,NULL,'no');
INSERT INTO "work" VALUES('events','event:e3',0,NULL,'closed','inflight',2,3,0,1,0,0.0,0.0,NULL,0,NULL,NULL);
INSERT INTO "work" VALUES('events','event:e4',0,NULL,'closed','dead',3,4,0,1,0,0.0,0.0,NULL,0,NULL,'bad');
CREATE INDEX events_of_session ON events (session, seq);
CREATE INDEX work_due ON work (exporter, state, due_at, last_seq);
CREATE INDEX work_in_order ON work (exporter, in_order_of, last_seq) WHERE in_order_of IS NOT NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',4);
INSERT INTO "sqlite_sequence" VALUES('journal',2);
COMMIT;
