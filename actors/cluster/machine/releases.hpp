// Which nodes can have a project while those of a cluster are of several
// releases, as in an upgrade of one after the other.
//
// What an earlier release has written a later one reads. What a later one
// writes the earlier reads where the project has the usual rules of placement,
// which are then left out of what is stored (runtime/store/projects.cpp).
// Otherwise it may have no project by that: it would own it, serve nothing of
// it and give it to nobody.
#pragma once

#include "messages/cluster.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace greenroom::cluster {

/// Whether a version, as "0.1.0", is of an earlier release than another. What
/// is none is not.
bool is_older(std::string_view version, std::string_view other);

/// The version of the node with this name; empty: there is none.
std::string version_of(const std::string& node,
                       const std::vector<node_record>& nodes);

/// Whether a node can read a project with these rules, which a program of
/// `version` can.
bool can_read(const node_record& node, const placement_rules& rules,
              std::string_view version);

} // namespace greenroom::cluster
