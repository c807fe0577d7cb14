// What the actors of one node share: where things lie, the limits that the
// configuration sets, and the handles of those whom everybody asks.
//
// Made once by the composition root before the first session is spawned, and
// never changed after that, so it is read without a lock. It outlives all
// actors that hold it.
#pragma once

#include "actors/base/exec_loads.hpp"
#include "actors/base/lease_gate.hpp"
#include "actors/base/overdue_requests.hpp"
#include "messages/cluster.hpp"
#include "messages/directory.hpp"
#include "messages/store.hpp"
#include "messages/time.hpp"
#include "runtime/base/session_paths.hpp"
#include "runtime/metrics/counters.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace greenroom {

class runners_of_node;
namespace journal {
class keeper;
}

/// How long an actor waits for another one. Git work is waited for until it is
/// known how it went, since it cannot be called back; clients have deadlines of
/// their own, at the edge.
inline constexpr std::chrono::seconds store_timeout{20};
inline constexpr std::chrono::seconds git_timeout{4500};
/// For a rescue, which is tried once: it waits behind whatever else is waited
/// for.
inline constexpr std::chrono::seconds rescue_timeout{9900};
/// For what an actor that may crash meanwhile is asked, and can be asked again.
inline constexpr std::chrono::seconds actor_timeout{150};
inline constexpr std::chrono::seconds look_up_timeout{10};

struct node_context {
  std::string node;
  std::filesystem::path data_dir;

  // When this run of the node began, and when the one before was last seen to
  // live; 0: that is not known. What a power cut may have taken away is
  // younger.
  unix_ms began_at = 0;
  unix_ms lived_until = 0;

  // exec
  std::filesystem::path home;     // HOME of commands; empty: below the session
  std::vector<std::string> shell; // argv before the command string
  std::uint32_t max_concurrent = 8;
  std::uint32_t max_queued = 64;
  std::uint64_t max_output = 1ULL << 30;

  // sessions
  /// Where a session's port is seen; empty: nowhere. Unset: there are no
  /// previews.
  std::function<std::string(const std::string& session_id, std::uint16_t port)>
    preview_url;
  millis max_lifetime = 30LL * 24 * 3600 * 1000;
  millis checkpoint_every = 5LL * 60 * 1000;
  std::uint32_t sessions_of_key = 0; // that live; 0: no limit

  store_writer_actor store;
  store_reader_actor reader;
  git_actor git;
  log_reader_actor logs;
  directory_actor directory;
  cluster_member_actor cluster; // null: this node is alone
  // Shut while another node may have taken over what is this one's; null: this
  // node is alone.
  std::shared_ptr<const lease_gate> gate;
  runners_of_node* runners = nullptr;
  journal::keeper* journals = nullptr;
  std::shared_ptr<overdue_requests> overdue =
    std::make_shared<overdue_requests>();
  std::shared_ptr<exec_loads> loads =
    std::make_shared<exec_loads>(exec_loads::limits{});
  std::shared_ptr<node_counters> counters = std::make_shared<node_counters>();

  /// Clients may be told that something is so.
  bool may_acknowledge() const noexcept {
    return !gate || gate->is_open();
  }
  std::filesystem::path session_dir(const std::string& session_id) const {
    return greenroom::session_dir(data_dir, session_id);
  }
  /// HOME as the commands of a session or review see it.
  std::filesystem::path home_of(const std::string& id) const {
    return home.empty() ? session_dir(id) / "home" : home;
  }
};

using context_ptr = std::shared_ptr<const node_context>;

} // namespace greenroom
