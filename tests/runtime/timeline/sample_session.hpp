// A session on disk, with real output logs and a real timeline.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/exec/output/output_log.hpp"
#include "runtime/timeline/event_encoding.hpp"
#include "runtime/timeline/output_event_splitter.hpp"
#include "runtime/timeline/timeline.hpp"
#include "tests/support/temp_dir.hpp"

#include <fcntl.h>

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::test {

class sample_session {
public:
  static constexpr std::string_view id = "s0123456789abcdefghi";

  const std::filesystem::path& dir() const {
    return dir_.path();
  }
  std::filesystem::path exec_dir(const std::string& exec_id) const {
    return dir() / "exec" / exec_id;
  }
  const std::vector<timeline_entry>& entries() const {
    return entries_;
  }

  /// An event that carries its data.
  void happens(event_kind kind, const std::string& exec_id = "") {
    timeline_entry entry;
    entry.kind = kind;
    entry.exec_id = exec_id;
    entry.data = R"({"session_id":")" + std::string{id} + R"(","kind":")"
                 + std::string{to_string(kind)} + R"("})";
    add(entry);
  }

  /// Prints and announces.
  void prints(const std::string& exec_id, output_stream stream,
              std::string_view text) {
    auto& running =
      execs_.try_emplace(exec_id, exec_dir(exec_id)).first->second;
    running.writer.append(stream, text, time_);
    running.announce(*this);
  }

  output_event_splitter& splitter(const std::string& exec_id) {
    return execs_.at(exec_id).splitter;
  }

private:
  struct exec {
    explicit exec(const std::filesystem::path& path)
      : dir(open(path)), writer(dir.get(), 1 << 30), log(path),
        splitter(path.filename().string()) {}

    static int open(const std::filesystem::path& path) {
      std::filesystem::create_directories(path);
      return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }

    void announce(sample_session& session) {
      std::vector<timeline_entry> events;
      splitter.take(
        log.records(splitter.records(), 1000),
        [this](output_stream stream, std::uint64_t offset,
               std::span<char> out) { return log.read(stream, offset, out); },
        events);
      for (auto& event : events)
        session.add(event);
    }

    unique_fd dir;
    output_log_writer writer;
    output_log_reader log;
    output_event_splitter splitter;
  };

  void add(timeline_entry entry) {
    entry.id = {2, entries_.size() + 1};
    entry.time = time_++;
    writer_.append({&entry, 1});
    entries_.push_back(std::move(entry));
  }

  temp_dir dir_;
  timeline_writer writer_{dir_.path()};
  unix_ms time_ = 1'790'000'000'000;
  std::vector<timeline_entry> entries_;
  std::map<std::string, exec> execs_;
};

/// Events of the session as its actor would send them.
inline event_batch encoded(const sample_session& session,
                           std::span<const timeline_entry> entries,
                           std::uint64_t after) {
  event_data data{session.dir(), std::string{session.id}};
  return encode_batch(data, entries, after);
}

} // namespace greenroom::test
