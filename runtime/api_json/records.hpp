// Records as JSON for clients: the one place where its shapes are made.
//
// Fields that openapi.json does not require are left out while empty. Field
// order is the page's. No secret and no hash of one is in any of them. Projects
// are not here: their JSON is the configuration's, runtime/config.
#pragma once

#include "messages/ports.hpp"
#include "messages/records.hpp"
#include "messages/time.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace greenroom {

/// What is known of the output of an exec that still runs.
struct live_output {
  std::uint64_t stdout_bytes = 0; // as printed, kept or not
  std::uint64_t stderr_bytes = 0;
  bool truncated = false;
  std::size_t queue_position = 0; // 1: the next to run; 0: does not wait
};

/// A list of `ref`, `commit` and `holds`.
nlohmann::ordered_json rescue_refs_json(const std::vector<rescue_ref>& refs);

/// openapi.json's Session, without what only a create answers.
nlohmann::ordered_json session_json(const session_record& session,
                                    std::size_t running_execs,
                                    std::string_view preview_url = {});

/// A port as its events have it: `port`, `address`, `process`, `exec_id`.
nlohmann::ordered_json port_json(const listening_port& port);

/// openapi.json's Exec. `live` counts only until the exec is over.
nlohmann::ordered_json exec_json(std::string_view project_id,
                                 std::string_view session_id,
                                 const exec_record& exec,
                                 const live_output& live);

/// Adds what a stream of an exec held, as `stdout` or `stderr`; what is not
/// UTF-8 goes in as base64, which `stdout_encoding` then says.
void add_output(nlohmann::ordered_json& exec, std::string_view stream,
                std::string_view bytes);

/// Reads status, times and outcome of an exec back from the text that
/// exec_json became; what is missing or wrong there stays as it is.
void read_exec_json(std::string_view text, exec_record& exec);

/// The text of an object for clients, on one line. What is not UTF-8 in it is
/// replaced.
std::string to_text(const nlohmann::ordered_json& json);

/// A key, without its secret.
nlohmann::ordered_json key_json(const key_record& key);

/// The data of an event, on one line: `time`, `session_id`, then the fields of
/// the object. What is not UTF-8 in them is replaced.
std::string event_json(unix_ms time, std::string_view session_id,
                       const nlohmann::ordered_json& fields);

} // namespace greenroom
