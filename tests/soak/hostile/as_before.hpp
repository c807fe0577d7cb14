// What a node holds once tenants have gone, against what it held before.
#pragma once

#include "runtime/exec/output/dropped_output.hpp"
#include "tests/api/demo.hpp"
#include "tests/soak/left_behind.hpp"
#include "tests/support/process_figures.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>

namespace greenroom::test {

/// All of the work that could not be saved; what is busy stays for the next
/// time.
inline void drop_kept(const node_process& node) {
  const auto admin = node.admin();
  for (;;) {
    auto kept = expect(200, admin.get("/projects/demo/kept")).data()["kept"];
    if (kept.empty())
      return;
    for (auto& one : kept) {
      auto id = one["session_id"].get<std::string>();
      if (admin.remove(sessions + '/' + id + "/kept").status != 200)
        return;
    }
  }
}

/// Fails the test where the output of what has ended does not become as little
/// as `limit` bytes of each project; `spared` lives.
inline void check_output(const node_process& node, const std::string& spared,
                         std::uint64_t limit) {
  const auto projects = 2;
  std::uint64_t bytes = 0;
  eventually(
    [&] {
      bytes = 0;
      for (auto& id : session_ids(node))
        if (id != spared)
          bytes += size_of_output(node.data_dir() / "sessions" / id);
      return bytes <= projects * limit;
    },
    std::chrono::seconds{70}); // it is looked at every half a minute
  INFO(bytes << " bytes of output");
  CHECK(bytes <= projects * limit);
}

/// The memory that is in use once it has not fallen for so long: what a flood
/// has needed is given back a little later, and an ended session after a
/// minute.
inline std::uint64_t settled_memory(const node_process& node,
                                    std::chrono::seconds quiet) {
  using timer = std::chrono::steady_clock;
  auto least = resident_kib(node.pid());
  auto since = timer::now();
  const auto settled = eventually(
    [&] {
      if (auto now = resident_kib(node.pid()); now < least) {
        least = now;
        since = timer::now();
      }
      return timer::now() - since > quiet;
    },
    10 * quiet);
  CHECK(settled);
  return least;
}

/// Fails the test where more stays in use than settled_memory() was, by a
/// tenth.
inline void check_memory(const node_process& node, std::uint64_t before) {
#ifndef __SANITIZE_ADDRESS__
  // What has ended is kept in memory for a minute.
  constexpr std::chrono::seconds patience{90};
  std::uint64_t after = 0;
  eventually(
    [&] {
      after = resident_kib(node.pid());
      return after <= before + before / 10;
    },
    patience);
  INFO(before << " KiB before, " << after << " KiB after");
  CHECK(after <= before + before / 10);
#else
  static_cast<void>(node);
  static_cast<void>(before);
#endif
}

/// What sessions and descriptors there are, beside what the session `spared`
/// has, which must have run something.
class as_before {
public:
  /// After what is opened once has been opened, and what was closed has
  /// settled.
  as_before(const node_process& node, std::string spared)
    : node_(node), spared_(std::move(spared)) {
    drop_kept(node);
    files_ = open_files(node.pid());
    // What is looked for afterwards can be found where it is.
    const auto seen = left_by(node, {spared_});
    INFO("the honest session has " << seen);
    CHECK(seen.processes > 0);
    CHECK(seen.directories > 0);
    if (seen.control_groups == 0)
      WARN("not tested: control groups, for sessions have none here");
  }

  /// Fails the test where there is more now. `ids`: all sessions that the
  /// others had, also those that the node has forgotten.
  void check(std::set<std::string> ids) const {
    // A node that has died holds nothing.
    REQUIRE(resident_kib(node_.pid()) > 0);
    check_sessions(std::move(ids));
    std::size_t files = 0;
    eventually(
      [&] {
        files = open_files(node_.pid());
        return files <= files_ + some;
      },
      patience);
    INFO(files_ << " descriptors before, " << files << " after");
    CHECK(files <= files_ + some);
  }

private:
  // Above the time-outs of a node's connections.
  static constexpr std::chrono::seconds patience{70};
  // Of the honest tenant's requests at hand.
  static constexpr std::size_t some = 8;

  void check_sessions(std::set<std::string> ids) const {
    CHECK(!ids.empty());
    left_behind left;
    eventually(
      [&] {
        drop_kept(node_);
        ids.merge(session_ids(node_));
        ids.erase(spared_);
        left = left_by(node_, ids);
        return left == left_behind{};
      },
      patience);
    INFO(left << " of " << ids.size() << " sessions that are over");
    CHECK(left == left_behind{});
  }

  const node_process& node_;
  std::string spared_;
  std::size_t files_ = 0;
};

} // namespace greenroom::test
