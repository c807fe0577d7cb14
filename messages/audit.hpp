// The audit: who changed what, and what came of it; also of what was refused.
//
// The HTTP side makes an entry of each request that changes something, the
// store keeps it. No entry has a body, a query or a secret.
#pragma once

#include "messages/inspect.hpp"
#include "messages/time.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace greenroom {

/// One request; or, of what is written to a command's input piece by piece,
/// several that succeeded. What it had not is empty.
struct audit_entry {
  std::string id; // as those of sessions; grows with nothing
  unix_ms time = 0;
  std::string node; // that was asked
  std::string key_id;
  std::string key_name;
  std::string address; // of who connected: a proxy's where one stands before us
  std::string request_id;
  std::string method;
  std::string route; // as in the OpenAPI document
  std::string project_id;
  std::string session_id;
  std::string object; // the id of what else it names, or has made
  std::uint16_t status = 0;
  std::string code; // of the error
  // Of a command's input: how many requests it stands for, the last of which is
  // told of, and what they carried. 0: it is of something else.
  std::uint64_t requests = 0;
  std::uint64_t bytes = 0;
  friend bool operator==(const audit_entry&, const audit_entry&) = default;
};
GREENROOM_INSPECT(audit_entry, x.id, x.time, x.node, x.key_id, x.key_name,
                  x.address, x.request_id, x.method, x.route, x.project_id,
                  x.session_id, x.object, x.status, x.code, x.requests, x.bytes)

/// Answered once they are on disk.
struct add_audit {
  std::vector<audit_entry> entries;
};
GREENROOM_INSPECT(add_audit, x.entries)

/// A page of the audit, newest first. What is empty or 0 stands for all.
struct query_audit {
  std::vector<std::string> projects;
  std::string session_id;
  std::string key_id;
  unix_ms since = 0;
  std::uint32_t limit = 0; // 0: as many as the store gives at a time
  std::string cursor;
};
GREENROOM_INSPECT(query_audit, x.projects, x.session_id, x.key_id, x.since,
                  x.limit, x.cursor)

struct audit_page {
  std::vector<audit_entry> entries;
  std::string next_cursor;
};
GREENROOM_INSPECT(audit_page, x.entries, x.next_cursor)

/// Removes entries older than a time, and those beyond the newest `max`.
struct drop_audit {
  unix_ms before = 0;
  std::uint64_t max = 0;
};
GREENROOM_INSPECT(drop_audit, x.before, x.max)

} // namespace greenroom
