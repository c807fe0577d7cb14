// A running node: everything it is made of, in the order in which it starts.
//
// start() brings the parts up one after the other and returns when the node is
// ready to serve; stop() takes them down in reverse. Commands that run in
// sessions outlive both. Owned by main.
#pragma once

#include "runtime/config/config.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace greenroom {

/// Why a node cannot start: one sentence that says what would do.
class start_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// The exit code of a process that could not end in order.
inline constexpr int exit_unfinished = 3;

class node {
public:
  /// Throws start_error or config_error, with nothing left running.
  explicit node(config settings);
  node(const node&) = delete;
  node& operator=(const node&) = delete;

  /// Stops in order. What has not ended after 20 s is named in the log, and
  /// the process exits with exit_unfinished.
  ~node();

  /// The port that the HTTP side listens on.
  std::uint16_t port() const;

  /// Where the administrator's key lies, empty if it came by the environment.
  std::filesystem::path admin_key_file() const;

  /// Takes over what of a configuration that is read anew holds at once:
  /// projects that it has new or in another form, and the log's level. Of all
  /// other keys that differ the log says that they wait for the next start.
  void reload(config settings);

  /// True once a part that the node cannot do without has died for good.
  bool broken() const;

private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

} // namespace greenroom
