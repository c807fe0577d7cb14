// Messages to the key registry, and its interface.
//
// One per node: API keys, durable in the store, published as a snapshot that
// HTTP threads read without a message.
#pragma once

#include "messages/common.hpp"
#include "messages/edge.hpp"

#include <caf/typed_actor.hpp>

#include <string>
#include <vector>

namespace greenroom {

struct create_key {
  std::string key_id; // empty: one is made
  std::string name;
  std::string author; // `Name <mail>`, or empty
  std::vector<std::string> scopes;
  std::vector<std::string> projects; // empty: all
  millis expires_in = 0;             // 0: never
  caller by = {};
};
GREENROOM_INSPECT(create_key, x.key_id, x.name, x.author, x.scopes, x.projects,
                  x.expires_in, x.by)

struct key_created {
  key_record key;
  std::string secret; // shown this once
};
GREENROOM_INSPECT(key_created, x.key, x.secret)

struct list_keys {};
GREENROOM_INSPECT(list_keys)

struct key_list {
  std::vector<key_record> keys; // newest first
};
GREENROOM_INSPECT(key_list, x.keys)

/// Answered once no request can pass with the key any more.
struct revoke_key {
  std::string key_id;
  caller by = {};
};
GREENROOM_INSPECT(revoke_key, x.key_id, x.by)

/// Tells the key registry about an edge.
struct join_edge {
  edge_actor edge;
};
GREENROOM_INSPECT(join_edge, x.edge)

using key_registry_actor = caf::typed_actor<
  // Makes a key; the secret is in this answer only.
  caf::replies_to<create_key>::with<key_created>,
  // All keys, without secrets.
  caf::replies_to<list_keys>::with<key_list>,
  // Ends a key at once.
  caf::replies_to<revoke_key>::with<done>,
  // An HTTP thread wants to hear of revoked keys.
  caf::reacts_to<join_edge>>;

} // namespace greenroom
