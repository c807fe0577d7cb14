// What this host can and cannot do for a node, tried out: `greenroom doctor`.
#pragma once

#include "runtime/node/preflight.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace greenroom {

/// All that start_checks tries, then what a node needs while it runs: kernel,
/// programs, disk, descriptors, store, upstreams, certificates, clock. Leaves
/// no trace. Blocks, for as long as upstreams that do not answer are waited
/// for: 20 s each at most.
std::vector<host_check> examine_host(const config& settings);

/// A line for each, and below it what to change.
std::string to_text(const std::vector<host_check>& checks);

/// `{"ok", "checks": [{"name", "status", "text", "help"?}]}`; ok is false where
/// one is a fault.
nlohmann::ordered_json to_json(const std::vector<host_check>& checks);

bool has_fault(const std::vector<host_check>& checks);

} // namespace greenroom
