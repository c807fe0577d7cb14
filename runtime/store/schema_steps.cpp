#include "runtime/store/schema_steps.hpp"

#include "runtime/store/session_sql.hpp"

namespace greenroom::store {

namespace {

// Numbers are BIGINT, truth values 0 and 1; what is not set is '' or 0.

schema_step schema_of_projects_keys_and_sessions() {
  return {
    "CREATE TABLE projects ("
    " id TEXT PRIMARY KEY,"
    " json TEXT NOT NULL,"
    " stopped BIGINT NOT NULL,"
    " updated_at BIGINT NOT NULL)",

    "CREATE TABLE keys ("
    " id TEXT PRIMARY KEY,"
    " name TEXT NOT NULL,"
    " secret_hash TEXT NOT NULL UNIQUE,"
    " scopes TEXT NOT NULL,"
    " projects TEXT NOT NULL,"
    " created_at BIGINT NOT NULL,"
    " expires_at BIGINT NOT NULL)",

    "CREATE TABLE sessions ("
    " id TEXT PRIMARY KEY,"
    " project_id TEXT NOT NULL,"
    " slot BIGINT NOT NULL,"
    " node TEXT NOT NULL,"
    " status TEXT NOT NULL,"
    " status_reason TEXT NOT NULL,"
    " branch TEXT NOT NULL,"
    " new_branch BIGINT NOT NULL,"
    " base_commit TEXT NOT NULL,"
    " created_by TEXT NOT NULL,"
    " created_at BIGINT NOT NULL,"
    " expires_at BIGINT NOT NULL,"
    " ended_at BIGINT NOT NULL,"
    " feature_slug TEXT NOT NULL,"
    " on_expire TEXT NOT NULL,"
    " labels TEXT NOT NULL,"
    " preview_port BIGINT NOT NULL,"
    " epoch BIGINT NOT NULL,"
    " version BIGINT NOT NULL,"
    " warned BIGINT NOT NULL,"
    " last_event TEXT NOT NULL,"
    " last_event_data TEXT NOT NULL)",

    // "At most n sessions" and "one branch, one session", as constraints.
    "CREATE UNIQUE INDEX sessions_slot ON sessions (project_id, slot)"
    " WHERE "
      + std::string{is_live_sql},
    "CREATE UNIQUE INDEX sessions_branch ON sessions (project_id, branch)"
    " WHERE "
      + std::string{is_live_sql},

    "CREATE INDEX sessions_listing"
    " ON sessions (project_id, created_at DESC, id DESC)",
    "CREATE INDEX sessions_node ON sessions (node)"
    " WHERE "
      + std::string{is_live_sql},
  };
}

schema_step schema_of_reviews_and_requests() {
  return {
    "ALTER TABLE sessions ADD COLUMN token_hash TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE sessions ADD COLUMN commit_id TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE sessions ADD COLUMN review_id TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at > 0",

    "ALTER TABLE keys ADD COLUMN author TEXT NOT NULL DEFAULT ''",

    "ALTER TABLE projects ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0",
    "UPDATE projects SET created_at = updated_at",

    "CREATE TABLE reviews ("
    " id TEXT PRIMARY KEY,"
    " project_id TEXT NOT NULL,"
    " session_id TEXT NOT NULL,"
    " branch TEXT NOT NULL,"
    " target TEXT NOT NULL,"
    " commit_id TEXT NOT NULL,"
    " base TEXT NOT NULL,"
    " status TEXT NOT NULL,"
    " status_reason TEXT NOT NULL,"
    " auto_merge BIGINT NOT NULL,"
    " skipped BIGINT NOT NULL,"
    " created_by TEXT NOT NULL,"
    " decided_by TEXT NOT NULL,"
    " by_name TEXT NOT NULL,"
    " by_author TEXT NOT NULL,"
    " comment TEXT NOT NULL,"
    " merge_commit TEXT NOT NULL,"
    " files TEXT NOT NULL,"
    " exit_code BIGINT NOT NULL,"
    " attempt BIGINT NOT NULL,"
    " created_at BIGINT NOT NULL,"
    " ended_at BIGINT NOT NULL)",
    "CREATE INDEX reviews_listing"
    " ON reviews (project_id, created_at DESC, id DESC)",
    "CREATE INDEX reviews_session ON reviews (session_id)",

    "CREATE TABLE requests ("
    " key_id TEXT NOT NULL,"
    " name TEXT NOT NULL,"
    " fingerprint TEXT NOT NULL,"
    " run TEXT NOT NULL," // who serves it; '': nobody, until it is repeated
    " planned_id TEXT NOT NULL,"
    " status BIGINT NOT NULL," // 0: not answered
    " body TEXT NOT NULL,"
    " touched_at BIGINT NOT NULL," // begun or answered
    " PRIMARY KEY (key_id, name))",
    "CREATE INDEX requests_age ON requests (touched_at)",
  };
}

schema_step schema_of_rescue_refs() {
  return {
    "ALTER TABLE sessions ADD COLUMN rescue_refs TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE sessions ADD COLUMN rescue_note TEXT NOT NULL DEFAULT ''",
  };
}

schema_step schema_of_authors() {
  return {
    "ALTER TABLE sessions ADD COLUMN author TEXT NOT NULL DEFAULT ''",
  };
}

schema_step schema_of_nodes_and_owners() {
  return {
    "CREATE TABLE nodes ("
    " name TEXT PRIMARY KEY,"
    " home TEXT NOT NULL," // of its data directory
    " incarnation TEXT NOT NULL,"
    " address TEXT NOT NULL,"
    " http TEXT NOT NULL,"
    " version TEXT NOT NULL,"
    " labels TEXT NOT NULL," // JSON
    " state TEXT NOT NULL,"
    " lease_until BIGINT NOT NULL)", // by the database's clock

    // '': nobody's yet, as everything is where one node has all.
    "ALTER TABLE projects ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE projects ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0",
  };
}

schema_step schema_of_outbox() {
  return {
    "CREATE TABLE outbox ("
    " session_id TEXT NOT NULL,"
    " version BIGINT NOT NULL," // of the session, that the change made
    " place BIGINT NOT NULL,"   // among the events of that change
    " kind TEXT NOT NULL,"
    " made_at BIGINT NOT NULL,"
    " fields TEXT NOT NULL," // JSON
    " PRIMARY KEY (session_id, version, place))",
    // Of those before the last change nothing was kept.
    "INSERT INTO outbox"
    " (session_id, version, place, kind, made_at, fields)"
    " SELECT id, version, 0, last_event, 0, last_event_data FROM sessions"
    " WHERE last_event <> ''",
    "ALTER TABLE sessions DROP COLUMN last_event",
    "ALTER TABLE sessions DROP COLUMN last_event_data",
  };
}

schema_step schema_of_loads() {
  return {
    "ALTER TABLE nodes ADD COLUMN load REAL NOT NULL DEFAULT 0",
  };
}

schema_step schema_of_audit() {
  return {
    "CREATE TABLE audit ("
    " id TEXT PRIMARY KEY,"
    " created_at BIGINT NOT NULL,"
    " node TEXT NOT NULL,"
    " key_id TEXT NOT NULL,"
    " key_name TEXT NOT NULL,"
    " address TEXT NOT NULL,"
    " request_id TEXT NOT NULL,"
    " method TEXT NOT NULL,"
    " route TEXT NOT NULL,"
    " project_id TEXT NOT NULL,"
    " session_id TEXT NOT NULL,"
    " object TEXT NOT NULL,"
    " status BIGINT NOT NULL,"
    " code TEXT NOT NULL)",
    "CREATE INDEX audit_listing ON audit (created_at DESC, id DESC)",
    "CREATE INDEX audit_project"
    " ON audit (project_id, created_at DESC, id DESC)",
    "CREATE INDEX audit_session"
    " ON audit (session_id, created_at DESC, id DESC)",
    "CREATE INDEX audit_key ON audit (key_id, created_at DESC, id DESC)",
    "CREATE INDEX sessions_key ON sessions (created_by)"
    " WHERE "
      + std::string{is_live_sql},
  };
}

schema_step schema_of_former_projects() {
  return {
    // Of each id, how many projects have had it and gave it up.
    "CREATE TABLE former_projects ("
    " project_id TEXT PRIMARY KEY,"
    " incarnations BIGINT NOT NULL)",
    "ALTER TABLE projects ADD COLUMN incarnation BIGINT NOT NULL DEFAULT 0",
    // What deleted projects have left is not for the next of their id.
    "INSERT INTO former_projects (project_id, incarnations)"
    " SELECT DISTINCT project_id, 1 FROM sessions"
    " WHERE project_id NOT IN (SELECT id FROM projects)",
    "UPDATE reviews SET project_id = project_id || '~0'"
    " WHERE project_id NOT IN (SELECT id FROM projects)",
    "UPDATE sessions SET project_id = project_id || '~0'"
    " WHERE project_id NOT IN (SELECT id FROM projects)",
  };
}

schema_step schema_of_webhooks() {
  return {
    "CREATE TABLE webhooks ("
    " id TEXT PRIMARY KEY,"
    " project_id TEXT NOT NULL,"
    " url TEXT NOT NULL,"
    " description TEXT NOT NULL,"
    " types TEXT NOT NULL," // each between commas; '': all
    " secret TEXT NOT NULL,"
    " enabled BIGINT NOT NULL,"
    " disabled_reason TEXT NOT NULL,"
    " disabled_at BIGINT NOT NULL,"
    " created_by TEXT NOT NULL,"
    " created_at BIGINT NOT NULL,"
    " failing_since BIGINT NOT NULL,"
    " delivered_at BIGINT NOT NULL,"
    " last_error TEXT NOT NULL)",
    "CREATE INDEX webhooks_project ON webhooks (project_id)",

    "CREATE TABLE webhook_deliveries ("
    " id TEXT PRIMARY KEY,"
    " webhook_id TEXT NOT NULL,"
    " project_id TEXT NOT NULL,"
    " session_id TEXT NOT NULL," // '': it is about the webhook
    " version BIGINT NOT NULL,"  // as in the outbox
    " place BIGINT NOT NULL,"
    " type TEXT NOT NULL,"
    " created_at BIGINT NOT NULL,"
    " session TEXT NOT NULL," // JSON of its row then
    " fields TEXT NOT NULL,"  // JSON
    " state TEXT NOT NULL,"
    " attempts BIGINT NOT NULL,"
    " first_attempt_at BIGINT NOT NULL,"
    " last_attempt_at BIGINT NOT NULL,"
    " next_attempt_at BIGINT NOT NULL,"
    " status BIGINT NOT NULL,"
    " error TEXT NOT NULL,"
    " took BIGINT NOT NULL)",
    "CREATE INDEX deliveries_listing"
    " ON webhook_deliveries (webhook_id, created_at DESC, id DESC)",
    "CREATE INDEX deliveries_project ON webhook_deliveries (project_id)",
    "CREATE INDEX deliveries_due ON webhook_deliveries (next_attempt_at)"
    " WHERE state = 'pending'",
    "CREATE INDEX deliveries_order"
    " ON webhook_deliveries (webhook_id, session_id, version, place)"
    " WHERE state = 'pending'",
    "CREATE INDEX deliveries_over ON webhook_deliveries (created_at)"
    " WHERE state <> 'pending'",
  };
}

schema_step schema_of_noted_execs() {
  return {
    "CREATE TABLE session_execs ("
    " session_id TEXT NOT NULL,"
    " exec_id TEXT NOT NULL,"
    " noted_at BIGINT NOT NULL," // at first
    " json TEXT NOT NULL,"
    " PRIMARY KEY (session_id, exec_id))",
  };
}

schema_step schema_of_home_epochs() {
  return {
    // What its epoch was when it came to its node. 0: one of before that was
    // known, or one that a program of then has made.
    "ALTER TABLE sessions ADD COLUMN home_epoch BIGINT NOT NULL DEFAULT 0",
  };
}

schema_step schema_of_previews() {
  return {
    // Where several nodes share the store; one that is alone has files.
    "CREATE TABLE session_previews ("
    " session_id TEXT PRIMARY KEY,"
    " json TEXT NOT NULL)",
  };
}

schema_step schema_of_project_events() {
  return {
    "CREATE TABLE project_events ("
    " number BIGINT PRIMARY KEY,"
    " project_id TEXT NOT NULL,"
    " session_id TEXT NOT NULL," // '': it is about none
    " type TEXT NOT NULL,"
    " made_at BIGINT NOT NULL,"
    " fields TEXT NOT NULL)", // JSON

    // One row: its lock makes numbers grow as they become visible.
    "CREATE TABLE project_event_number (number BIGINT NOT NULL)",
    "INSERT INTO project_event_number (number) VALUES (0)",
  };
}

schema_step schema_of_webhooks_of_sessions() {
  return {
    // '': it is told of all sessions of its project.
    "ALTER TABLE webhooks ADD COLUMN session_id TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX webhooks_session ON webhooks (session_id)"
    " WHERE session_id <> ''",
  };
}

schema_step schema_of_lost_nodes() {
  return {
    // The node that was lost with it, where it is to end for that; '': none.
    "ALTER TABLE sessions ADD COLUMN lost_node TEXT NOT NULL DEFAULT ''",
  };
}

schema_step schema_of_audited_inputs() {
  return {
    "ALTER TABLE audit ADD COLUMN requests BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE audit ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0",
  };
}

schema_step schema_of_ended_reviews() {
  return {
    "CREATE INDEX reviews_ended ON reviews (ended_at) WHERE ended_at > 0",
  };
}

} // namespace

// In the order in which they were released.
const std::vector<schema_step>& schema_steps() {
  static const std::vector<schema_step> all{
    schema_of_projects_keys_and_sessions(),
    schema_of_reviews_and_requests(),
    schema_of_rescue_refs(),
    schema_of_authors(),
    schema_of_nodes_and_owners(),
    schema_of_outbox(),
    schema_of_loads(),
    schema_of_audit(),
    schema_of_former_projects(),
    schema_of_webhooks(),
    schema_of_noted_execs(),
    schema_of_home_epochs(),
    schema_of_previews(),
    schema_of_project_events(),
    schema_of_webhooks_of_sessions(),
    schema_of_lost_nodes(),
    schema_of_audited_inputs(),
    schema_of_ended_reviews(),
  };
  return all;
}

} // namespace greenroom::store
