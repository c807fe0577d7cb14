// Where a node's projects go when it gives them away, and which can go yet: the
// decisions of the drainer, without a clock, an actor or I/O.
#pragma once

#include "messages/moving.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace greenroom::cluster {

/// True where `node` can be given something by another one: it is ready, its
/// lease holds, and it is reachable.
bool can_take(const node_record& node);

struct project_load {
  std::string project_id;
  std::size_t sessions = 0; // that live
  placement_rules rules = {};
};

/// The node that each project goes to, by project: the fullest first, each to
/// the node that then is the emptiest (see fullness_of), of those alike the one
/// whose processors are less busy, then the first by name. Those that no node
/// but `leaving` can take are not in it: no other has the labels, or those that
/// have are of earlier releases and may not be able to read the rules.
std::map<std::string, std::string>
destinations(const std::string& leaving, std::vector<node_record> nodes,
             std::vector<project_load> projects);

/// The node for a project that is new, asked for at `here`: the one that a
/// project with these labels would go to; `here` itself where it is as good.
/// None of an earlier release than `here`, which may not know how a project is
/// placed there. Empty: none.
std::string home_of_new(const std::string& here,
                        const std::vector<node_record>& nodes,
                        const string_map& labels = {});

enum class packing : std::uint8_t {
  wait,    // something runs in it
  in_turn, // nothing does
  at_once, // what runs is ended
};

/// What is to be done with a project whose sessions stand so. `is_late`: the
/// deadline is over.
packing packing_of(const std::vector<moving_session>& sessions, bool is_late);

} // namespace greenroom::cluster
