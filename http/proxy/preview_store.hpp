// Where the settings of previews are kept.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace greenroom::http::proxy {

/// Called by one thread at a time, which may wait. What they throw is passed
/// on.
struct preview_store {
  /// What was written last for a session; nullopt: nothing was.
  std::function<std::optional<std::string>(const std::string& session_id)> read;
  /// Returns when it is durable.
  std::function<void(const std::string& session_id, const std::string& text)>
    write;
  bool shared = false; // with other nodes, which may have changed it since
};

/// `previews.json` in the session's directory.
preview_store preview_files(std::filesystem::path data_dir);

} // namespace greenroom::http::proxy
