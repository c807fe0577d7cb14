// What a node of a cluster may do at which age of its lease, and what it takes
// over: the decisions of the cluster member, without a clock, an actor or I/O.
//
//   joining ──→ owning ←──→ silent ──→ stopped
//      ↑          a half of the lease ↑   ↑ two thirds
//      └──────── lost: the store has it no longer
//
// What runs may go on for longer where others wait beyond the lease.
//
// A lease is renewed at a third of its length. It counts from when the renewal
// that succeeded was begun, by this machine's monotonic clock; the store counts
// it from later, by its own. So whoever waits for the store's word takes
// nothing before this node has fallen silent, however late an answer comes and
// however long the process stood still.
#pragma once

#include "messages/cluster.hpp"
#include "messages/time.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace greenroom::cluster {

enum class standing : std::uint8_t {
  joining, // no lease
  owning,  // all is well
  silent,  // nothing is acknowledged
  stopped, // and nothing runs
};

/// Times are milliseconds of a monotonic clock.
struct member {
  std::string node;
  millis lease = 10'000;
  standing at = standing::joining;
  std::string incarnation; // of the lease, or the one that is asked for
  millis kept_since = 0;   // when the renewal that holds was begun
  millis delay = 0;        // that others wait beyond it, as of then
  bool asking = false;     // the store has not answered yet
  millis next_ask = 0;
  std::map<std::string, std::uint64_t> owned; // projects, with their epochs
  std::vector<node_record> nodes;             // as they were announced
};

/// Whether the node may tell a client at this moment that something is so. To
/// be asked with the clock as it is then: no tick comes while a process stands
/// still.
bool may_acknowledge(const member& m, millis now);

// -- what happens -------------------------------------------------------------

/// Time has passed.
struct ticked {
  millis now = 0;
  std::string fresh_id; // an incarnation, where one is needed; may be the same
};

/// Something hints that a node has come or gone.
struct hinted {
  millis now = 0;
};

enum class outcome : std::uint8_t {
  kept,    // there is a lease
  lost,    // it is another's, or was over
  unknown, // the store did not say; it may have happened all the same
};

/// The store's answer to join and renew.
struct answered {
  millis now = 0;
  millis begun = 0; // when it was asked
  outcome result = outcome::unknown;
  std::vector<node_record> nodes; // where there is a lease
  // Of all projects but those that wait for a lost node or cannot be read,
  // likewise.
  std::vector<owner_record> owners;
  std::map<std::string, placement_rules> rules; // by project
  millis delay = 0;                             // see delay_of
};

// -- what is to be done -------------------------------------------------------

struct join {
  std::string incarnation;
  friend bool operator==(const join&, const join&) = default;
};
struct renew {
  std::string incarnation;
  friend bool operator==(const renew&, const renew&) = default;
};
/// Not waited for: the next renewal shows what came of it.
struct take_over {
  std::vector<owner_record> projects;
  friend bool operator==(const take_over&, const take_over&) = default;
};
struct fall_silent {
  friend bool operator==(const fall_silent&, const fall_silent&) = default;
};
struct speak_again {
  friend bool operator==(const speak_again&, const speak_again&) = default;
};
/// Ends all that runs in sessions. Comes more than once while nothing may.
struct stop_sandboxes {
  friend bool operator==(const stop_sandboxes&,
                         const stop_sandboxes&) = default;
};
/// A project is this node's from now on.
struct adopt {
  owner_record project;
  friend bool operator==(const adopt&, const adopt&) = default;
};
/// It is no longer: end what is here of it.
struct release {
  std::string project_id;
  friend bool operator==(const release&, const release&) = default;
};
/// Nodes came, went or changed.
struct announce {
  std::vector<node_record> nodes;
  friend bool operator==(const announce&, const announce&) = default;
};

using effect = std::variant<join, renew, take_over, fall_silent, speak_again,
                            stop_sandboxes, adopt, release, announce>;
using effects = std::vector<effect>;

effects apply(member& m, const ticked& x);
effects apply(member& m, const hinted& x);
effects apply(member& m, const answered& x);

// -- placement ----------------------------------------------------------------

/// Whether a node has all labels that a project asks for.
bool has_labels(const node_record& node, const string_map& wanted);

/// How full a node is: the emptier compares less. A machine whose processors
/// have been busy for the last minute comes after those that are not, then the
/// live sessions count.
struct fullness {
  bool is_busy = false;
  std::uint32_t sessions = 0;
  friend auto operator<=>(const fullness&, const fullness&) = default;
};

/// From this on a machine is busy; see node_record::load.
inline constexpr double busy_load = 0.9;

fullness fullness_of(const node_record& node);

/// The emptiest ready node that has the labels and can read the rules, which a
/// program of `version` can (releases.hpp); the first by name of those alike.
/// Empty: none is ready.
std::string roomiest(const std::vector<node_record>& nodes,
                     const placement_rules& rules = {},
                     std::string_view version = {});

/// Whether a project that was `owner`'s stays that node's although its lease is
/// over. `lost` has those without one, with the time since; who is not among
/// them and in no list is gone for good.
bool waits_for_owner(const owner_record& owner, const placement_rules& rules,
                     const std::map<std::string, millis>& lost);

/// As good as for ever: sums of times do not overflow.
inline constexpr millis longest_delay = 10ll * 366 * 24 * 60 * 60 * 1000;

/// How long others wait beyond the node's lease before they take the first of
/// what it owns: 0 for one that owns nothing, longest_delay where all is to
/// wait for it.
millis delay_of(const std::string& node,
                const std::vector<owner_record>& owners,
                const std::map<std::string, placement_rules>& rules);

/// What of the projects that nobody living owns is for `node` to take. All of
/// one release who have the same lists come to the same shares; those of a
/// later one leave out the earlier where these cannot read a project, so that
/// one of them takes it. Where two take the same, the store has the last word.
std::vector<owner_record>
share_of(const std::string& node, std::vector<node_record> nodes,
         const std::vector<owner_record>& owners,
         const std::map<std::string, placement_rules>& rules = {});

} // namespace greenroom::cluster
