// Where the files of a session lie below a node's data directory. Those of a
// review lie as a session's of its id would.
#pragma once

#include <filesystem>
#include <string>

namespace greenroom {

inline std::filesystem::path
sessions_dir(const std::filesystem::path& data_dir) {
  return data_dir / "sessions";
}

inline std::filesystem::path session_dir(const std::filesystem::path& data_dir,
                                         const std::string& session_id) {
  return sessions_dir(data_dir) / session_id;
}

/// `mirror`: mirror_name of the project.
inline std::filesystem::path mirror_dir(const std::filesystem::path& data_dir,
                                        const std::string& mirror) {
  return data_dir / "repos" / (mirror + ".git");
}

/// What one session's sandbox is about.
struct session_paths {
  std::string session_id;
  std::filesystem::path directory; // the session's; home and tmp are below
  std::filesystem::path checkout;
  std::filesystem::path mirror;
};

inline session_paths paths_of(const std::filesystem::path& data_dir,
                              const std::string& session_id,
                              const std::string& mirror) {
  auto directory = session_dir(data_dir, session_id);
  return {session_id, directory, directory / "checkout",
          mirror_dir(data_dir, mirror)};
}

} // namespace greenroom
