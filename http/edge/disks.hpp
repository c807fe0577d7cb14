// The way to what lies on the disks of a cluster's nodes.
#pragma once

#include "messages/directory.hpp"
#include "messages/left_on_disk.hpp"

namespace greenroom::http {

/// A node's directory with all that it takes in a cluster, where it passes on
/// what is for another node's disk.
left_work_actor disks_of(const directory_actor& directory);

} // namespace greenroom::http
